package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

const tokenUsage = `[list] | create NAME --role ROLE [--service S]... [--application A]... [--days N] | revoke ID`

// apiToken is what the API tells of a token.
type apiToken struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Role  string `json:"role"`
	Scope struct {
		Services     []string `json:"services"`
		Applications []string `json:"applications"`
	} `json:"scope"`
	By      string    `json:"created_by"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"last_used"`
	Token   string    `json:"token"`
}

// token is "sluice token": what programs show to the API.
func token(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, a := newFlags("token", tokenUsage, stderr), asked{}
	role := f.String("role", "", "ingest, viewer, operator or admin")
	days := f.Int("days", 90, "how long it is good, at most 365")
	var services, applications []string
	f.Func("service", "limit it to what this service says; may be given several times", into(&services))
	f.Func("application", "limit it to what is of this application; may be given several times", into(&applications))
	a.takes("create", "role", "days", "service", "application")
	s, rest, err := newAsker(f, &a, args, stdout)
	if err != nil {
		return help(err)
	}
	switch verb, rest := verbOf(rest); {
	case verb == "list" && len(rest) == 0:
		return s.tokens(ctx)
	case verb == "create" && len(rest) == 1 && *role != "":
		var made apiToken
		send := map[string]any{"name": rest[0], "role": *role, "services": services, "applications": applications, "days": *days}
		if err := s.do(ctx, http.MethodPost, "/tokens", send, &made); err != nil || s.operator.json {
			return err
		}
		_, err := fmt.Fprintf(stdout, "%s\n\nToken %s, good until %s. Nobody is told it again.\n", made.Token, made.ID, made.Expires.UTC().Format(time.DateOnly))
		return err
	case verb == "revoke" && len(rest) == 1:
		var was apiToken
		if err := s.do(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(rest[0]), nil, &was); err != nil || s.operator.json {
			return err
		}
		_, err := fmt.Fprintf(stdout, "revoked: %s of %s\n", was.Name, was.By)
		return err
	}
	return fmt.Errorf("%w: token %s", errUsage, tokenUsage)
}

// into collects the values of a flag.
func into(list *[]string) func(string) error {
	return func(v string) error {
		*list = append(*list, v)
		return nil
	}
}

func (s *asker) tokens(ctx context.Context) error {
	var all []apiToken
	if err := s.do(ctx, http.MethodGet, "/tokens", nil, &all); err != nil || s.operator.json {
		return err
	}
	w := tabwriter.NewWriter(s.operator.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tROLE\tLIMITED TO\tMADE BY\tEXPIRES\tLAST USED\tID")
	for i := range all {
		t := &all[i]
		limit := strings.Join(append(t.Scope.Services, t.Scope.Applications...), ", ")
		if limit == "" {
			limit = "-"
		}
		used := "never"
		if !t.Used.IsZero() {
			used = t.Used.UTC().Format("2006-01-02 15:04")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(t.Name), t.Role, cell(limit), cell(t.By), t.Expires.UTC().Format(time.DateOnly), used, t.ID)
	}
	return w.Flush()
}

const auditUsage = `[list] | export`

// auditLine is a line of the audit log.
type auditLine struct {
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
	Act     string    `json:"act"`
	Details jsonText  `json:"details"`
}

// jsonText keeps JSON as it is.
type jsonText string

// UnmarshalJSON keeps it.
func (j *jsonText) UnmarshalJSON(data []byte) error {
	*j = jsonText(data)
	return nil
}

// auditCommand is "sluice audit": who did what.
func auditCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, a := newFlags("audit", auditUsage, stderr), asked{}
	f.StringVar(&a.filter, "filter", "", "which, such as 'by contains anna and act = close' or 'time >= -7d'")
	f.StringVar(&a.sort, "sort", "", "-time or time")
	f.StringVar(&a.format, "format", "ndjson", "csv or ndjson")
	f.IntVar(&a.limit, "limit", 50, "how many")
	f.BoolVar(&a.all, "all", false, "every line")
	a.takes("list", "filter", "sort", "limit", "all")
	a.takes("export", "filter", "format")
	s, rest, err := newAsker(f, &a, args, stdout)
	if err != nil {
		return help(err)
	}
	switch verb, rest := verbOf(rest); {
	case verb == "list" && len(rest) == 0:
		return pages(ctx, s, "/audit", &a, []string{"filter", a.filter}, "TIME (UTC)\tBY\tACT\tDETAILS", func(w io.Writer, l *auditLine) {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Time.UTC().Format(time.DateTime), cell(l.By), l.Act, oneLine(string(l.Details)))
		})
	case verb == "export" && len(rest) == 0:
		return s.stream(ctx, "/audit/export"+params("filter", a.filter, "format", a.format))
	}
	return fmt.Errorf("%w: audit %s", errUsage, auditUsage)
}
