package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"
)

// pushSender sends over HTTP. A request that is not answered with 200 is repeated, whole and under its
// key, until it is.
type pushSender struct {
	*load
	name string
	all  []*item // ever taken
	put  int     // requests that were put off
}

func (s *pushSender) run(ctx context.Context) error {
	client := http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: s.dice(2) == 0}}
	defer client.CloseIdleConnections()
	for number := 0; ; {
		most := 1 + s.dice(12)
		if s.dice(60) == 0 {
			most = 900 // more than one batch of the stream
		}
		items, over := s.traffic.take(time.Now(), most)
		if len(items) > 0 {
			number++
			s.all = append(s.all, items...)
			if err := s.send(ctx, &client, fmt.Sprintf("%s %d", s.name, number), items); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		if !pause(ctx, s.rest()) {
			return ctx.Err()
		}
	}
}

// send repeats the request until it is answered.
func (s *pushSender) send(ctx context.Context, client *http.Client, key string, items []*item) error {
	r := newRequest(items, s.dice(3) == 0, s.dice(3) == 0)
	for {
		address, err := s.address(ctx, "push")
		if err != nil {
			return err
		}
		for _, i := range items {
			i.tries++
		}
		status, answer, err := r.post(ctx, client, "http://"+address+"/api/v1/ingest", key)
		switch {
		case err == nil && status == http.StatusOK:
			if want := fmt.Sprintf("{\"accepted\":%d}\n", len(items)); answer != want {
				return fmt.Errorf("http: the answer is %q, want %q", answer, want)
			}
			for _, i := range items {
				i.acked, i.raw = true, nil
			}
			return nil
		case err == nil && status != http.StatusServiceUnavailable:
			return fmt.Errorf("http: status %d: %s", status, answer)
		}
		s.put++
		if !pause(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// request is a body that may be sent again and again.
type request struct {
	body []byte
	kind string
	zip  bool
}

// newRequest makes a body of raw lines, or of JSON where all of them can be said in it.
func newRequest(items []*item, object, zip bool) *request {
	r := &request{kind: "text/plain", zip: zip}
	for _, i := range items {
		object = object && utf8.Valid(i.raw)
	}
	if object {
		r.kind = "application/x-ndjson"
	}
	for _, i := range items {
		line := i.raw
		if object && line[0] != '{' {
			line, _ = json.Marshal(map[string]string{"message": string(line)}) // a string can be encoded
		}
		r.body = append(append(r.body, line...), '\n')
	}
	if zip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(r.body) // into memory
		_ = w.Close()
		r.body = b.Bytes()
	}
	return r
}

func (r *request) post(ctx context.Context, client *http.Client, url, key string) (status int, answer string, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(r.body))
	if err != nil {
		return 0, "", err
	}
	q.GetBody = nil // to repeat it is our part
	q.Header.Set("Content-Type", r.kind)
	q.Header.Set("Idempotency-Key", key)
	if r.zip {
		q.Header.Set("Content-Encoding", "gzip")
	}
	response, err := client.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
