package input

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

const secret = "hush-hush-hush-hush"

func startHTTP(t *testing.T, cfg config.Input, accept Accept, m *Metrics) (url string, stop func() error) {
	t.Helper()
	in, err := ListenHTTP(cfg, func(token string) (string, bool) { return "token x1", token == "made-at-run-time" }, quiet(), m)
	if err != nil {
		t.Fatal(err)
	}
	addr, stop := run(t, in, accept)
	return "http://" + addr + "/api/v1/ingest", stop
}

// push is settings for HTTP.
func push() config.Input {
	cfg := settings("tcp://127.0.0.1:0")
	cfg.Type, cfg.MaxBody = "http", 1<<20
	return cfg
}

// reply is what a client makes of an answer.
type reply struct {
	Status   int
	Accepted int
	Detail   string
	header   http.Header
}

// post sends a body; headers are name and value in turn.
func post(t *testing.T, url string, body io.Reader, headers ...string) reply {
	t.Helper()
	return request(t, http.DefaultClient, http.MethodPost, url, body, headers...)
}

func request(t *testing.T, c *http.Client, method, url string, body io.Reader, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out := reply{header: answer.Header}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	want := "application/problem+json"
	if answer.StatusCode == http.StatusOK {
		want, out.Status = "application/json", 200
	}
	if got := answer.Header.Get("Content-Type"); got != want || out.Status != answer.StatusCode {
		t.Errorf("%s: Content-Type %q and status %d in the body, want %q", answer.Status, got, out.Status, want)
	}
	return out
}

func zipped(text string) io.Reader {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return &b
}

func TestHTTPTakesWhatIsAMessage(t *testing.T) {
	const nd = "application/x-ndjson; charset=utf-8"
	tests := []struct {
		name    string
		body    string
		headers []string
		want    []string
	}{
		{"lines", "<13>one\n\n\r\n<13>two\r\n<13>three", nil, []string{"<13>one", "<13>two\r", "<13>three"}},
		{"lines of any type", "{\n", []string{"Content-Type", "application/json"}, []string{"{"}},
		{"lines in JSON's name", "[1]\n<13>one\n", []string{"Content-Type", "application/json"}, []string{"[1]", "<13>one"}},
		{"a list of no objects", `["<13>one"]`, []string{"Content-Type", "application/json"}, []string{`["<13>one"]`}},
		{
			"JSON", "[{\"message\": \"<13>one\"},\n {\"log\": \"<13>two\", \"stream\": \"stdout\"}]\n{\n \"id\": \"1 \\n\"\n}\n",
			[]string{"Content-Type", "application/json"},
			[]string{"<13>one", `{"log":"<13>two","stream":"stdout"}`, `{"id":"1 \n"}`},
		},
		{
			"JSON behind a byte order mark", "\ufeff[{\"id\": \"[1}\\\"\"}]{\"id\":\"2\"}{}",
			[]string{"Content-Type", "application/json; charset=utf-8"},
			[]string{`{"id":"[1}\""}`, `{"id":"2"}`, "{}"},
		},
		{"a list that breaks off", `[{"id":"1"},`, []string{"Content-Type", "application/json"}, []string{`[{"id":"1"},`}},
		{"an empty message", `{"message": ""}`, []string{"Content-Type", nd}, nil},
		{
			"objects", `{"id": "1", "riskEventType": "x"}` + "\r\n\n" + ` {"message": "<13>one\ntwo"} ` + "\n" + `{"message":"m","id":"2"}` + "\n" + `{"message":5}` + "\n" + `{"message":""}`,
			[]string{"Content-Type", nd},
			[]string{`{"id": "1", "riskEventType": "x"}`, "<13>one\ntwo", `{"message":"m","id":"2"}`, `{"message":5}`},
		},
		{"a long line", strings.Repeat("x", 5000) + "\nshort", nil, []string{strings.Repeat("x", 4096) + "~", "short"}},
		{"many lines", strings.Repeat("<13>x\n", 300), nil, slices.Repeat([]string{"<13>x"}, 300)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBox()
			url, _ := startHTTP(t, push(), b.accept, NewMetrics(nil))
			for range 2 {
				if got := post(t, url, strings.NewReader(tt.body), tt.headers...); got.Status != 200 || got.Accepted != len(tt.want) {
					t.Errorf("%d, accepted %d (%s), want 200 and %d", got.Status, got.Accepted, got.Detail, len(tt.want))
				}
				if diff := cmp.Diff(tt.want, b.texts()[:len(b.messages)], cmp.Transformer("", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
				b.messages = nil
				tt.headers = append(tt.headers, "Content-Encoding", "identity")
			}
			for _, name := range []string{"gzip", "GZIP", "x-gzip"} {
				if got := post(t, url, zipped(tt.body), append(tt.headers, "Content-Encoding", name)...); got.Accepted != len(tt.want) {
					t.Errorf("%s: %d, accepted %d (%s), want %d", name, got.Status, got.Accepted, got.Detail, len(tt.want))
				}
			}
		})
	}
}

func TestHTTPRefusesTheRestAndAcceptsNothingOfIt(t *testing.T) {
	random := strings.Repeat("0123456789abcdef", 70_000) // 1.1 MB
	twice := func() io.Reader {
		text, _ := io.ReadAll(zipped("<13>one\n"))
		return zipped(string(text))
	}
	tests := []struct {
		name, method string
		body         io.Reader
		headers      []string
		status       int
		detail       string
	}{
		{"another method", "GET", nil, nil, 405, "POST"},
		{"nothing", "POST", nil, nil, 400, "the body is empty: want raw lines"},
		{"nothing but white space", "POST", strings.NewReader(" \r\n\n"), []string{"Content-Type", "application/x-ndjson"}, 400, "the body is empty"},
		{"too large", "POST", strings.NewReader(random), nil, 413, "max_body"},
		{"too large when unzipped", "POST", io.MultiReader(zipped(noise(600_000)), zipped(noise(600_000))), []string{"Content-Encoding", "gzip"}, 413, "max_body"},
		{"a bomb", "POST", zipped(strings.Repeat("\n", 500_000)), []string{"Content-Encoding", "gzip"}, 413, "times as large"},
		{"another encoding", "POST", strings.NewReader("x"), []string{"Content-Encoding", "br"}, 415, "gzip"},
		{"two encodings", "POST", twice(), []string{"Content-Encoding", "gzip, gzip"}, 415, "gzip"},
		{"gzip that says so half", "POST", twice(), []string{"Content-Encoding", "gzip"}, 415, "the body is gzip and doesn't say so"},
		{"no gzip", "POST", strings.NewReader("plain text"), []string{"Content-Encoding", "gzip"}, 422, "gzip"},
		{"half a gzip", "POST", io.LimitReader(zipped(noise(100_000)), 50_000), []string{"Content-Encoding", "gzip"}, 422, "gzip"},
		{"a line that is no object", "POST", strings.NewReader("{}\n\n[1]\n"), []string{"Content-Type", "application/x-ndjson"}, 422, "line 3"},
		{"an empty list", "POST", strings.NewReader("[]"), []string{"Content-Type", "application/json"}, 400, "the body is empty"},
		{"null", "POST", strings.NewReader("null"), []string{"Content-Type", "application/x-ndjson"}, 422, "line 1"},
	}
	b := newBox()
	m := NewMetrics(nil)
	url, _ := startHTTP(t, push(), b.accept, m)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := request(t, http.DefaultClient, tt.method, url, tt.body, tt.headers...)
			if got.Status != tt.status || got.Accepted != 0 || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("%d, accepted %d, %q; want %d with %q", got.Status, got.Accepted, got.Detail, tt.status, tt.detail)
			}
		})
	}
	if got := request(t, http.DefaultClient, "POST", strings.TrimSuffix(url, "ingest"), nil); got.Status != 404 {
		t.Errorf("another path: %d, want 404", got.Status)
	}
	if got := b.texts(); len(got) > 0 {
		t.Errorf("accepted %q, want nothing", got)
	}
	if got := testutil.ToFloat64(m.requests.WithLabelValues("front", "413")); got != 3 {
		t.Errorf("requests with 413 = %v, want 3", got)
	}
}

// noise hardly shrinks.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return string(b)
}

func TestHTTPAsksForAToken(t *testing.T) {
	cfg := push()
	cfg.Tokens = []config.Token{{Name: "agent", Token: "another-token-of-ours"}, {Name: "collector", Token: secret}}
	cfg.Speakers = []config.Speaker{{Services: []string{"cloud_app_security"}, Tokens: []string{"collector"}}}
	b := newBox()
	url, _ := startHTTP(t, cfg, b.accept, NewMetrics(nil))
	for shown, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, secret: 401, "Basic " + secret: 401, "Bearer " + secret + "x": 401,
		"Bearer " + secret[:10]: 401, "Bearer " + secret: 200, "bearer  " + secret: 200, "Bearer another-token-of-ours": 200, "Bearer made-at-run-time": 200,
	} {
		got := post(t, url, strings.NewReader("<13>"+shown), "Authorization", shown)
		if got.Status != want || (want == 401) != (got.header.Get("WWW-Authenticate") != "") {
			t.Errorf("Authorization %q: %d, %v; want %d", shown, got.Status, got.header, want)
		}
	}
	b.wait(3)
	for _, m := range b.messages {
		if got, want := m.Granted.Allows(formats.CloudAppSecurity), bytes.Contains(m.Raw, []byte(secret)); got != want {
			t.Errorf("%s may speak: %t, want %t", m.Raw, got, want)
		}
	}
}

// Whoever is put off learns how much of the batch needn't be sent again.
func TestHTTPSaysWhatWasAcceptedWhenItPushesBack(t *testing.T) {
	calls := 0
	url, _ := startHTTP(t, push(), func(context.Context, []Message) Receipt {
		if calls++; calls > 1 {
			return replied(errors.New("not yet"))
		}
		return replied(nil)
	}, NewMetrics(nil))
	got := post(t, url, strings.NewReader(strings.Repeat("<13>x\n", 300)))
	if got.Status != 503 || got.Accepted != batchMessages || got.header.Get("Retry-After") == "" {
		t.Errorf("%d, accepted %d, Retry-After %q; want 503, %d and one", got.Status, got.Accepted, got.header.Get("Retry-After"), batchMessages)
	}
}

func TestHTTPHoldsNoMoreThanItsBudget(t *testing.T) {
	in, err := listen(push(), quiet(), NewMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	w := &web{server: in, maxBody: 1 << 20, bodies: budget{left: 100_000}, requests: NewMetrics(nil).requests}
	b := newBox()
	addr, _ := run(t, &Socket{addr: in.listener.Addr(), run: w.run, close: in.listener.Close}, b.accept)
	url := "http://" + addr + "/api/v1/ingest"
	if got := post(t, url, strings.NewReader(noise(200_000))); got.Status != 503 || got.Accepted != 0 {
		t.Errorf("%d, accepted %d; want 503 and nothing", got.Status, got.Accepted)
	}
	for range 5 { // what was held is given back
		if got := post(t, url, strings.NewReader(noise(90_000))); got.Status != 200 {
			t.Errorf("%d (%s), want 200", got.Status, got.Detail)
		}
	}
}

func TestHTTPAnswersWhatItHasWhenItStops(t *testing.T) {
	taken, durable := make(chan struct{}), make(chan struct{})
	url, stop := startHTTP(t, push(), func(context.Context, []Message) Receipt {
		close(taken)
		<-durable
		return replied(nil)
	}, NewMetrics(nil))
	idle := dial(t, "tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/api/v1/ingest"))
	answered := make(chan reply, 1)
	go func() { answered <- post(t, url, strings.NewReader("<13>x")) }()
	<-taken
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if n, err := idle.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes of a connection without a request, want its end", n)
	}
	close(durable)
	if got := <-answered; got.Status != 200 || got.Accepted != 1 {
		t.Errorf("%d, accepted %d, want 200 and 1", got.Status, got.Accepted)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestHTTPOverTLSKnowsTheClient(t *testing.T) {
	s := newShop(t)
	cfg := push()
	cfg.Listen, cfg.TLS = "tls://127.0.0.1:0", s.files
	cfg.TLS.ClientAuth = "required"
	cfg.Speakers = []config.Speaker{{Services: []string{"cloud_app_security"}, Certificates: []string{"sensor.test"}}}
	b := newBox()
	url, _ := startHTTP(t, cfg, b.accept, NewMetrics(nil))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: s.client(t, &s.clients)}}
	defer client.CloseIdleConnections()
	if got := request(t, client, "POST", strings.Replace(url, "http://", "https://", 1), strings.NewReader("<13>x")); got.Status != 200 {
		t.Errorf("%d (%s), want 200", got.Status, got.Detail)
	}
	if !b.messages[0].Granted.Allows(formats.CloudAppSecurity) {
		t.Error("the client may not speak for its service")
	}
}

func TestHTTPRefusesConnectionsOverTheLimit(t *testing.T) {
	cfg := push()
	cfg.MaxConnections = 1
	m := NewMetrics(nil)
	url, _ := startHTTP(t, cfg, newBox().accept, m)
	client := &http.Client{Transport: &http.Transport{}}
	for range 3 { // one after the other they share a connection
		request(t, client, "POST", url, strings.NewReader("<13>x"))
	}
	if _, err := (&http.Client{Transport: &http.Transport{}}).Get(url); err == nil {
		t.Error("a second connection was served")
	}
	client.CloseIdleConnections()
	if got := testutil.ToFloat64(m.of("front").refused); got != 1 {
		t.Errorf("refused = %v, want 1", got)
	}
}

// TestHTTPTakesNothingOfPages: without tokens whoever reaches it may send, but not a page that is open in a browser of this
// machine, whatever it calls this machine.
func TestHTTPTakesNothingOfPages(t *testing.T) {
	cfg := push()
	cfg.Tokens = nil
	b := newBox()
	url, _ := startHTTP(t, cfg, b.accept, NewMetrics(nil))
	for _, tt := range []struct {
		status  int
		headers []string
	}{
		{http.StatusForbidden, []string{"Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site"}},
		{http.StatusForbidden, []string{"Origin", "null"}},
		{http.StatusForbidden, []string{"Origin", strings.TrimSuffix(url, "/api/v1/ingest")}}, // whose name was made to mean this machine
		{http.StatusForbidden, []string{"Sec-Fetch-Site", "same-origin"}},
		{http.StatusOK, []string{"User-Agent", "curl/8.0"}},
	} {
		if got := request(t, http.DefaultClient, "POST", url, strings.NewReader("<13>x"), tt.headers...); got.Status != tt.status {
			t.Errorf("with %q: %d, want %d", tt.headers, got.Status, tt.status)
		}
	}
	if got := b.texts(); len(got) != 1 {
		t.Errorf("taken: %q", got)
	}
}

// FuzzUnwrap: what unwrap takes is a JSON object, and it gives that or a text.
func FuzzUnwrap(f *testing.F) {
	for _, s := range []string{`{"message":"x"}`, `{"message":null}`, `{"id":1}`, `null`, `[]`, `{"message":"a","message":"b"}`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		out, err := unwrap(line)
		if err == nil && len(line) > 0 && !json.Valid(line) {
			t.Errorf("unwrap(%q) = %q, want an error", line, out)
		}
		if err != nil && out != nil {
			t.Errorf("unwrap(%q) = %q, %v", line, out, err)
		}
	})
}

// TestJSONIsHeldOnce: whoever may send so much may send it as JSON, too, though all that may be held is held by it.
func TestJSONIsHeldOnce(t *testing.T) {
	text := "[" + strings.Repeat(`{"message": "<13>one"},`, 10_000) + `{"message": "<13>two"}]`
	r := httptest.NewRequest(http.MethodPost, "/api/v1/ingest", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	b := body{limit: len(text), budget: &budget{left: len(text)}}
	if err := b.read(r); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range b.messages() {
		n++
	}
	if b.release(); n != 10_001 || b.budget.left != len(text) {
		t.Errorf("%d messages, want 10001; %d of %d bytes are given back", n, b.budget.left, len(text))
	}
}

// TestBodiesCostWhatTheySay: what is made of a body while it is looked at is little beside it, whatever is in it.
func TestBodiesCostWhatTheySay(t *testing.T) {
	const size = 4 << 20
	line := []byte("{" + strings.Repeat(`"":0,`, size/5) + `"":0}`)
	for what, do := range map[string]func(){
		"a line of many members": func() { _, _ = unwrap(line) },
		"JSON":                   func() { _ = (&body{data: line}).look() },
		"what is sent again":     func() { (&body{data: line}).digest() },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > size/4 {
			t.Errorf("%s takes %d bytes beside its own %d", what, took, len(line))
		}
	}
}

// FuzzObjects: each is an object that is there, and around them nothing is but lists; what encoding/json takes for such JSON is cut.
func FuzzObjects(f *testing.F) {
	for _, s := range []string{`{"message":"x"}`, "[{},\n{\"a\":[{}]}] {\"b\":1}", `[{}`, `[[{}]]`, `[1]`, `[{}]]`, `[{},]`, `[,{}]`, `{},{}`, `{"a":"\"}"}`, "{\"a\":\"\xff\"}", ` `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []json.RawMessage
		whole := true
		for o := range objects(data) {
			if whole = o != nil; whole {
				got = append(got, o)
			}
		}
		var want []json.RawMessage
		values, valid := json.NewDecoder(bytes.NewReader(data)), true
		for valid {
			var value json.RawMessage
			if err := values.Decode(&value); err != nil {
				valid = errors.Is(err, io.EOF)
				break
			}
			if list := []json.RawMessage{}; value[0] == '[' && json.Unmarshal(value, &list) == nil {
				want = append(want, list...)
			} else {
				want = append(want, value)
			}
		}
		for _, value := range want {
			valid = valid && value[0] == '{'
		}
		if whole != valid {
			t.Fatalf("objects(%q): whole is %t, want %t", data, whole, valid)
		}
		if whole && !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Errorf("objects(%q) are %q, want %q", data, got, want)
		}
	})
}

func TestHTTPNamesThePartsOfARequest(t *testing.T) {
	cfg := push()
	cfg.Tokens = []config.Token{{Name: "agent", Token: "another-token-of-ours"}, {Name: "collector", Token: secret}}
	b := newBox()
	url, _ := startHTTP(t, cfg, b.accept, NewMetrics(nil))
	const body = "<13>one\n\n<13>two\n"
	send := func(body io.Reader, token string, headers ...string) []Part {
		t.Helper()
		b.messages = nil
		got := post(t, url, body, append(headers, "Authorization", "Bearer "+token)...)
		if got.Status != 200 || got.Accepted != len(b.messages) {
			t.Errorf("%d, accepted %d of %d", got.Status, got.Accepted, len(b.messages))
		}
		var parts []Part
		for _, m := range b.messages {
			parts = append(parts, *m.Part)
		}
		return parts
	}
	first := send(strings.NewReader(body), secret, "Idempotency-Key", "k1")
	if len(first) != 2 || first[0].Index != 0 || first[1].Index != 1 || first[0].Of != first[1].Of || first[0].Body != first[1].Body {
		t.Fatalf("parts %v", first)
	}
	if diff := cmp.Diff(first, send(zipped(body), secret, "Idempotency-Key", "k1", "Content-Encoding", "gzip")); diff != "" {
		t.Errorf("zipped it is another request:\n%s", diff)
	}
	if got := send(strings.NewReader(body), secret, "Idempotency-Key", "k2"); got[0].Of == first[0].Of || got[0].Body != first[0].Body {
		t.Errorf("under another key: %v, first %v", got[0], first[0])
	}
	if got := send(strings.NewReader(body), "another-token-of-ours", "Idempotency-Key", "k1"); got[0].Of == first[0].Of {
		t.Error("two senders share a key")
	}
	if got := send(strings.NewReader(body+"x"), secret, "Idempotency-Key", "k1"); got[0].Of != first[0].Of || got[0].Body == first[0].Body {
		t.Errorf("another body: %v, first %v", got[0], first[0])
	}
	for _, key := range []string{"", strings.Repeat("k", 256)} {
		if got := post(t, url, strings.NewReader(body), "Authorization", "Bearer "+secret, "Idempotency-Key", key); got.Status != 400 {
			t.Errorf("key of %d bytes: %d, want 400", len(key), got.Status)
		}
	}
	b.fail = ErrReused
	if got := post(t, url, strings.NewReader(body), "Authorization", "Bearer "+secret, "Idempotency-Key", "k1"); got.Status != 422 || got.Accepted != 0 {
		t.Errorf("%d, accepted %d; want 422 and nothing", got.Status, got.Accepted)
	}
}
