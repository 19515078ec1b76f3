package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// asker speaks the API: through the control socket of the gateway on this machine, or by --url.
type asker struct {
	operator *operator
	base     string
	token    string
}

const apiPrefix = "/api/v1"

// tokenVariable holds the API's token, for --url.
const tokenVariable = "SLUICE_TOKEN"

// asked are the flags that the commands of the API have.
type asked struct {
	url, filter, sort, format, in, why, comment, to, text, with string
	limit                                                       int
	all, unread                                                 bool

	verbs map[string][]string // for which alone a flag is
}

// takes says which flags a verb of the command takes. Flags that no verb is said to take are for all.
func (a *asked) takes(verb string, flags ...string) {
	if a.verbs == nil {
		a.verbs = map[string][]string{}
	}
	for _, name := range flags {
		a.verbs[name] = append(a.verbs[name], verb)
	}
}

func newAsker(f *flag.FlagSet, a *asked, args []string, stdout io.Writer) (*asker, []string, error) {
	f.StringVar(&a.url, "url", "", "address of a gateway's http.listen, such as http://127.0.0.1:8514, with its token in "+tokenVariable+
		"; the control socket of the gateway on this machine without it")
	f.VisitAll(func(g *flag.Flag) {
		if verbs := a.verbs[g.Name]; verbs != nil {
			g.Usage = strings.Join(verbs, ", ") + ": " + g.Usage
		}
	})
	o, rest, err := newOperator(f, args, stdout)
	if err != nil {
		return nil, nil, err
	}
	verb, _ := verbOf(rest)
	if err := a.refuse(f, verb); err != nil {
		return nil, nil, err
	}
	s := &asker{operator: o, base: "http://gateway"}
	if a.url != "" {
		if u, err := url.Parse(a.url); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, nil, fmt.Errorf("%w: found --url %q, expected http:// or https:// with host and port", errUsage, a.url)
		}
		s.base, s.token, o.client = strings.TrimSuffix(a.url, "/"), os.Getenv(tokenVariable), http.Client{}
		if s.token == "" {
			return nil, nil, fmt.Errorf("%w: --url needs the API's token in the environment's %s", errUsage, tokenVariable)
		}
	}
	return s, rest, nil
}

// refuse refuses a flag that the verb has no use for: who closes by a filter with --limit 1 means one alert, not all that fit.
func (a *asked) refuse(f *flag.FlagSet, verb string) error {
	var err error
	f.Visit(func(g *flag.Flag) {
		if verbs, some := a.verbs[g.Name]; some && err == nil && !slices.Contains(verbs, verb) {
			err = fmt.Errorf("%w: %s %s takes no --%s, which is for %s", errUsage, f.Name(), verb, g.Name, strings.Join(verbs, ", "))
		}
	})
	return err
}

// do asks for path and copies the answer to out where it is a stream, or decodes it into into.
func (s *asker) do(ctx context.Context, method, path string, send, into any) error {
	data, err := s.read(ctx, method, path, send)
	if err != nil {
		return err
	}
	if s.operator.json {
		if _, err := s.operator.out.Write(data); err != nil {
			return err
		}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}

// read asks for path and gives the answer.
func (s *asker) read(ctx context.Context, method, path string, send any) ([]byte, error) {
	body, err := s.open(ctx, method, path, send)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	return io.ReadAll(body)
}

// open sends a request and gives the answer's body.
func (s *asker) open(ctx context.Context, method, path string, send any) (io.ReadCloser, error) {
	var content io.Reader
	if send != nil {
		data, err := json.Marshal(send)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.base+apiPrefix+path, content)
	if err != nil {
		return nil, err
	}
	if send != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := s.operator.client.Do(r)
	if err != nil {
		if s.base != "http://gateway" {
			return nil, fmt.Errorf("the gateway at %s doesn't answer: %w", s.base, errors.Unwrap(err))
		}
		return nil, s.operator.unanswered(err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		defer func() { _ = response.Body.Close() }() // it was only read
		return nil, trouble(response)
	}
	return response.Body, nil
}

// trouble reads a problem document.
func trouble(response *http.Response) error {
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil || json.Unmarshal(data, &problem) != nil || problem.Detail == "" {
		if line, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n"); line != "" && line[0] != '<' { // of another server; no page
			return fmt.Errorf("%s: %s", response.Status, oneLine(line[:min(len(line), 200)]))
		}
		return errors.New(response.Status)
	}
	text := problem.Detail
	for _, e := range problem.Errors {
		if !strings.Contains(text, e.Message) {
			text += "; " + e.Location + ": " + e.Message
		}
	}
	return errors.New(oneLine(text))
}

// params builds a query, leaving out what is empty.
func params(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// listing is a page of a list, or several.
type listing struct {
	Items        []json.RawMessage `json:"items"`
	Next         string            `json:"next,omitempty"`
	NotAvailable []string          `json:"not_available"`
}

// pages shows a list, of up to limit items or all: as a table, of which row writes one item's line, or as one document.
func pages[T any](ctx context.Context, s *asker, path string, a *asked, pairs []string, header string, row func(io.Writer, *T)) error {
	all, err := s.list(ctx, path, a, pairs)
	if err != nil {
		return err
	}
	if s.operator.json {
		return json.NewEncoder(s.operator.out).Encode(all)
	}
	w := tabwriter.NewWriter(s.operator.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, header)
	for _, data := range all.Items {
		var item T
		if err := json.Unmarshal(data, &item); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		row(w, &item)
	}
	return s.close(w, all.Next, all.NotAvailable)
}

// list asks for as many pages as it takes.
func (s *asker) list(ctx context.Context, path string, a *asked, pairs []string) (listing, error) {
	all := listing{Items: []json.RawMessage{}}
	for left := a.limit; ; {
		step := 500
		if !a.all {
			step = min(step, left)
		}
		var page listing
		query := params(append(pairs, "sort", a.sort, "cursor", all.Next, "limit", strconv.Itoa(step))...)
		data, err := s.read(ctx, http.MethodGet, path+query, nil)
		if err == nil {
			err = json.Unmarshal(data, &page)
		}
		if err != nil {
			return all, err
		}
		all.Items = append(all.Items, page.Items...)
		all.Next, all.NotAvailable = page.Next, page.NotAvailable
		left -= len(page.Items)
		if all.Next == "" || !a.all && left <= 0 {
			return all, nil
		}
	}
}

// close ends a table, and says what it doesn't show.
func (s *asker) close(w *tabwriter.Writer, next string, missing []string) error {
	if err := w.Flush(); err != nil {
		return err
	}
	var notes []string
	if next != "" {
		notes = append(notes, "there are more: --limit N or --all shows them")
	}
	if len(missing) > 0 {
		notes = append(notes, "not available, for want of a licence: "+strings.Join(missing, ", "))
	}
	if len(notes) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(s.operator.out, strings.Join(notes, "\n"))
	return err
}

// stream copies an export.
func (s *asker) stream(ctx context.Context, path string) error {
	body, err := s.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	if _, err := io.Copy(s.operator.out, body); err != nil {
		return fmt.Errorf("the export broke off: %w", err)
	}
	return nil
}

// print shows one thing as indented JSON, which is what there is to see of it.
func (s *asker) print(ctx context.Context, path string) error {
	var v json.RawMessage
	if err := s.do(ctx, http.MethodGet, path, nil, &v); err != nil || s.operator.json {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, v, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := s.operator.out.Write(escaped(out.Bytes()))
	return err
}

// act does something, and says what was done.
func (s *asker) act(ctx context.Context, path string, send any, what string) error {
	var answer struct {
		Act     string `json:"act"`
		Alerts  *int   `json:"alerts"`
		Visible bool   `json:"visible"`
	}
	if err := s.do(ctx, http.MethodPost, path, send, &answer); err != nil || s.operator.json {
		return err
	}
	text := what
	switch {
	case answer.Alerts != nil && *answer.Alerts == 0:
		text = "nothing has changed: it was so already"
	case answer.Alerts != nil:
		text = fmt.Sprintf("%s: %d", what, *answer.Alerts)
	}
	if !answer.Visible {
		text += "; it is recorded, but the model lags and shows it later"
	}
	_, err := fmt.Fprintf(s.operator.out, "%s (act %s)\n", text, answer.Act)
	return err
}
