package test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"net/http"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdPush posts a file to an HTTP input. The answer must have the status; its body is looked at with stdout.
//
//	push [-gzip] [-header 'NAME: VALUE']... STATUS ADDRESS FILE
func cmdPush(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("push", flag.ContinueOnError)
	header := http.Header{}
	f.Func("header", "", func(s string) error {
		name, value, _ := strings.Cut(s, ": ")
		header.Set(name, value)
		return nil
	})
	zip := f.Bool("gzip", false, "")
	ts.Check(f.Parse(args))
	if neg || f.NArg() != 3 {
		ts.Fatalf("usage: push [-gzip] [-header 'NAME: VALUE']... STATUS ADDRESS FILE")
	}
	body := []byte(ts.ReadFile(f.Arg(2)))
	if *zip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(body)
		ts.Check(err)
		ts.Check(w.Close())
		body = b.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	url := strings.Replace(f.Arg(1), "tcp://", "http://", 1) + "/api/v1/ingest"
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	ts.Check(err)
	request.Header = header
	client := http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	ts.Check(err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
	if want := number(ts, f.Arg(0)); response.StatusCode != want {
		ts.Fatalf("%s, want %d: %s", response.Status, want, answer)
	}
}
