package api

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-siem/sluice/config/filter"
	"github.com/sluice-siem/sluice/gateway/model"
)

// export says what the answer is made of, which a stream doesn't tell by its type.
func export(o huma.Operation) huma.Operation {
	o.Responses = map[string]*huma.Response{"200": {
		Description: "One line for each, the newest first. An answer that breaks off in the middle ends its connection without the end mark of its transfer.",
		Content:     map[string]*huma.MediaType{"application/x-ndjson": {}, "text/csv": {}},
	}}
	return o
}

type exportInput struct {
	Filtered
	Format string `query:"format" enum:"csv,ndjson" default:"ndjson"`
}

// column is one of a CSV.
type column[T any] struct {
	name string
	of   func(*T) string
}

// exported answers with everything that fits, as it is read.
func exported[T any](s *service, what string, of filter.Fields, columns []column[T], each eachOf[T]) func(context.Context, *exportInput) (*huma.StreamResponse, error) {
	return func(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
		f, err := parse(ctx, in.Filter, of)
		if err != nil {
			return nil, err
		}
		if err := s.note(ctx, "export", what+" as "+in.Format+": "+cmp.Or(in.Filter, "all")); err != nil {
			return nil, err // what can't be noted isn't given
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			write, media := writeNDJSON[T], "application/x-ndjson"
			if in.Format == "csv" {
				write, media = csvWriter(columns), "text/csv; charset=utf-8"
			}
			c.SetHeader("Content-Type", media)
			c.SetStatus(http.StatusOK)
			if err := write(c.BodyWriter(), each(s.Model, c.Context(), f)); err != nil {
				s.Log.Warn("an export broke off", "err", err)
				panic(http.ErrAbortHandler) // or it would look whole
			}
		}}, nil
	}
}

func writeNDJSON[T any](w io.Writer, items func(yield func(T, error) bool)) error {
	out := json.NewEncoder(w)
	for item, err := range items {
		if err == nil {
			err = out.Encode(item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func csvWriter[T any](columns []column[T]) func(io.Writer, func(func(T, error) bool)) error {
	return func(w io.Writer, items func(yield func(T, error) bool)) error {
		out := csv.NewWriter(w)
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = c.name
		}
		if err := out.Write(row); err != nil {
			return err
		}
		for item, err := range items {
			if err != nil {
				return err
			}
			for i, c := range columns {
				row[i] = harmless(c.of(&item))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	}
}

// harmless keeps a spreadsheet from taking for a formula what a sender wrote: a quote mark before it, as OWASP's "CSV
// Injection" advises.
func harmless(s string) string {
	const formulas = "=+-@\t\r\n＝＋－＠" // the wide ones are the same to a spreadsheet in East Asia
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(formulas, first) {
		return "'" + s
	}
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func several(s []string) string { return strings.Join(s, "; ") }

func alertColumns() []column[model.Alert] {
	return []column[model.Alert]{
		{"id", func(a *model.Alert) string { return a.ID }},
		{"status", func(a *model.Alert) string { return a.Status }},
		{"title", func(a *model.Alert) string { return a.Title }},
		{"type", func(a *model.Alert) string { return a.Type }},
		{"category", func(a *model.Alert) string { return a.Category }},
		{"severity", func(a *model.Alert) string { return a.Severity.String() }},
		{"application", func(a *model.Alert) string { return a.App }},
		{"users", func(a *model.Alert) string { return several(spellings(a.Users)) }},
		{"devices", func(a *model.Alert) string { return several(a.Devices) }},
		{"first_seen", func(a *model.Alert) string { return stamp(a.First) }},
		{"last_seen", func(a *model.Alert) string { return stamp(a.Last) }},
		{"count", func(a *model.Alert) string { return strconv.Itoa(a.Count) }},
		{"managed_in", func(a *model.Alert) string { return string(a.ManagedIn) }},
		{"drift_since", func(a *model.Alert) string { return stamp(a.Drift) }},
		{"assigned", func(a *model.Alert) string { return a.Assigned }},
		{"tactics", func(a *model.Alert) string { return several(a.Tactics) }},
		{"techniques", func(a *model.Alert) string { return several(a.Techniques) }},
		{"ips", func(a *model.Alert) string { return several(a.Addresses) }},
		{"policies", func(a *model.Alert) string { return several(a.Policies) }},
		{"notification_ids", ofSightings(func(s model.Sighting) string { return s.ID })},
		{"urls", ofSightings(func(s model.Sighting) string { return s.URL })},
		{"closed", ofClosure(func(c *model.Closure) string { return stamp(c.Time) })},
		{"closed_by", ofClosure(func(c *model.Closure) string { return c.By })},
		{"classification", ofClosure(func(c *model.Closure) string { return c.Why })},
	}
}

// ofSightings is what the services say of an alert, each once.
func ofSightings(of func(model.Sighting) string) func(*model.Alert) string {
	return func(a *model.Alert) string {
		var out []string
		for _, s := range a.Sightings {
			if said := of(s); said != "" && !slices.Contains(out, said) {
				out = append(out, said)
			}
		}
		return several(out)
	}
}

func ofClosure(of func(*model.Closure) string) func(*model.Alert) string {
	return func(a *model.Alert) string {
		if a.Closure == nil {
			return ""
		}
		return of(a.Closure)
	}
}

func spellings(users []model.Named) []string {
	out := make([]string, len(users))
	for i, u := range users {
		out[i] = u.Spelling
	}
	return out
}

func activityColumns() []column[model.Activity] {
	return []column[model.Activity]{
		{"key", func(a *model.Activity) string { return a.Key }},
		{"id", func(a *model.Activity) string { return a.ID }},
		{"kind", func(a *model.Activity) string { return string(a.Kind) }},
		{"time", func(a *model.Activity) string { return stamp(a.Time) }},
		{"service", func(a *model.Activity) string { return string(a.Service) }},
		{"source", func(a *model.Activity) string { return a.Source }},
		{"application", func(a *model.Activity) string { return a.App }},
		{"type", func(a *model.Activity) string { return a.Type }},
		{"action", func(a *model.Activity) string { return a.Action }},
		{"title", func(a *model.Activity) string { return a.Title }},
		{"user", func(a *model.Activity) string {
			if a.User == nil {
				return ""
			}
			return a.User.Spelling
		}},
		{"ips", func(a *model.Activity) string { return several(a.Addresses) }},
		{"devices", func(a *model.Activity) string { return several(a.Devices) }},
		{"user_agent", func(a *model.Activity) string { return a.Agent }},
		{"objects", func(a *model.Activity) string { return several(a.Objects) }},
		{"policies", func(a *model.Activity) string { return several(slices.Concat(a.Policies, a.Matched)) }},
		{"failed", func(a *model.Activity) string { return strconv.FormatBool(a.Failed) }},
		{"administrative", func(a *model.Activity) string { return strconv.FormatBool(a.Admin) }},
		{"alert", func(a *model.Activity) string { return a.Alert }},
		{"message", func(a *model.Activity) string { return a.Message }},
	}
}
