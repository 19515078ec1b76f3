package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// TestReadAgain: a document that somebody has is not sent again.
func TestReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/alerts/%A", "/activities/%K", "/queries/%Q", "/policies/%P"} {
		path = api.Prefix + w.fill(t, path)
		tag := w.send(http.MethodGet, path, "", nil).Header().Get("ETag")
		for header, status := range map[string]int{
			tag: http.StatusNotModified, "W/" + tag: http.StatusNotModified, `"x,y", ` + tag: http.StatusNotModified, "*": http.StatusNotModified,
			`"x"`: http.StatusOK, `"`: http.StatusOK,
		} {
			answer := w.send(http.MethodGet, path, "", http.Header{"If-None-Match": {header}})
			if got := answer.Header().Get("ETag"); answer.Code != status || got != tag || (answer.Body.Len() == 0) != (status == http.StatusNotModified) {
				t.Errorf("%s, If-None-Match: %s: %d with ETag: %s and %d bytes, want %d with %s", path, header, answer.Code, got, answer.Body.Len(), status, tag)
			}
		}
	}
}

// TestNamesThatChangeAreReadAgain: an alert shows whose the names are, which others change.
func TestNamesThatChangeAreReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tag := w.send(http.MethodGet, "/api/v1/alerts/a1", "", nil).Header().Get("ETag")
	join := w.fill(t, `/users/%V/join`)
	if answer := w.send(http.MethodPost, api.Prefix+join, w.fill(t, `{"with":"%U"}`), nil); answer.Code != http.StatusOK {
		t.Fatalf("join: %d %s", answer.Code, answer.Body)
	}
	if answer := w.send(http.MethodGet, "/api/v1/alerts/a1", "", http.Header{"If-None-Match": {tag}}); answer.Code != http.StatusOK {
		t.Errorf("the alert of somebody who was joined with another one: %d, want it sent again", answer.Code)
	}
}

// TestTheOneThatWasRead: who changes something says which version, or any.
func TestTheOneThatWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		header string
		status int
	}{
		{"TAG", http.StatusOK},
		{`"x", TAG,"y"`, http.StatusOK},
		{" * ", http.StatusOK},
		{"W/TAG", http.StatusPreconditionFailed}, // weak tags are good for reading alone
		{`"x", "y"`, http.StatusPreconditionFailed},
		{"x", http.StatusPreconditionFailed},
	} {
		for _, do := range []struct{ document, method, path, body string }{
			{"/alerts/%A", http.MethodPost, "/alerts/comment", `{"alerts":["%A"],"text":"asked"}`},
			{"/users/%U", http.MethodPost, "/users/%U/tags", `{"tags":["sensitive"]}`},
			{"/queries/%Q", http.MethodPut, "/queries/%Q", `{"name":"ours","of":"alerts","filter":"status = open","shared":false}`},
		} {
			tag := w.send(http.MethodGet, api.Prefix+w.fill(t, do.document), "", nil).Header().Get("ETag")
			header := strings.ReplaceAll(tt.header, "TAG", tag)
			answer := w.send(do.method, api.Prefix+w.fill(t, do.path), w.fill(t, do.body), http.Header{"If-Match": {header}})
			if tag == "" || answer.Code != tt.status {
				t.Errorf("%s %s, If-Match: %s: %d %s, want %d", do.method, do.path, header, answer.Code, answer.Body, tt.status)
			}
		}
	}
}

// TestWhichOneWasRead: what replaces or forgets a document says which version was read; whoever may not do it is told that first.
func TestWhichOneWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := api.As(access.Principal{ID: "vic", Role: access.Viewer}, w.api)
	for _, do := range []struct{ method, path, body string }{
		{http.MethodPut, "/queries/%Q", `{"name":"ours","of":"alerts","filter":"status = open","shared":false}`},
		{http.MethodDelete, "/queries/%Q", ""},
		{http.MethodPut, "/policies/%P", `{"name":"p","severity":"low","filter":"action = login","times":3,"within":"1h","enabled":false}`},
		{http.MethodDelete, "/policies/%P", ""},
	} {
		path := api.Prefix + w.fill(t, do.path)
		if answer := w.send(do.method, path, do.body, nil); answer.Code != http.StatusPreconditionRequired || !strings.Contains(answer.Body.String(), "If-Match is missing") {
			t.Errorf("%s %s: %d %s, want 428", do.method, path, answer.Code, answer.Body)
		}
		if answer := w.askAs(viewer, do.method, path, do.body); strings.Contains(path, "policies") && answer.Code != http.StatusForbidden {
			t.Errorf("%s %s by a viewer: %d %s, want 403", do.method, path, answer.Code, answer.Body)
		}
	}
}

// behind is a recorder whose entries the model doesn't come to while somebody waits for it.
type behind struct {
	*world
	over *func()
}

func (b behind) Record(ctx context.Context, a stream.Act) (*stream.Entry, error) {
	e, err := b.world.Record(context.WithoutCancel(ctx), a)
	(*b.over)()
	if err != nil {
		return nil, err
	}
	late := *e
	late.At.Sequence += 1000
	return &late, nil
}

// TestWhatIsRecordedIsThere: what the model doesn't show in time is told as it will be, and not as if it weren't there.
func TestWhatIsRecordedIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	over := func() {}
	handler := api.As(access.Principal{ID: "otto", Role: access.Admin}, api.New(api.Options{Model: w.model, Recorder: behind{w, &over}, Log: slog.New(slog.DiscardHandler)}))
	for _, do := range []struct{ method, path, body string }{
		{http.MethodPost, "/queries", `{"name":"new","of":"alerts","filter":"status = closed","shared":true}`},
		{http.MethodPut, "/queries/%Q", `{"name":"ours","of":"alerts","filter":"read = no","sort":"-severity","shared":true}`},
		{http.MethodPost, "/policies", `{"name":"p","severity":"low","filter":"action = login","times":3,"within":"1h","enabled":true}`},
		{http.MethodPut, "/policies/%P", `{"name":"q","severity":"high","filter":"action = delete","enabled":true,"outside":{"days":["mon"],"from":"07:00","to":"19:00","zone":"Europe/Berlin"}}`},
		{http.MethodPut, "/policies/builtin-mass-deletion", ""},
	} {
		path := api.Prefix + w.fill(t, do.path)
		if do.body == "" { // one that comes with Sluice: switched on
			was := w.send(http.MethodGet, path, "", nil).Body.String()
			do.body = regexp.MustCompile(`"(id|revision|owner|built_in)":[^,}]*,?`).ReplaceAllString(strings.Replace(was, `"enabled":false`, `"enabled":true`, 1), "")
			do.body = strings.Replace(do.body, ",}", "}", 1)
		}
		ctx, cancel := context.WithCancel(t.Context())
		over = cancel
		r := httptest.NewRequestWithContext(ctx, do.method, path, strings.NewReader(do.body))
		r.Header.Set("Content-Type", "application/json")
		if do.method == http.MethodPut {
			r.Header.Set("If-Match", w.send(http.MethodGet, path, "", nil).Header().Get("ETag"))
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		var told struct{ ID string }
		if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil || answer.Code != http.StatusAccepted || told.ID == "" {
			t.Errorf("%s %s: %d %s, %v, want 202", do.method, path, answer.Code, answer.Body, err)
			continue
		}
		w.do(model.Mark{Alerts: []string{"a1"}, Read: true}) // and all before it is there
		if do.method == http.MethodPost {
			path += "/" + told.ID
		}
		if is := w.send(http.MethodGet, path, "", nil); is.Body.String() != answer.Body.String() || is.Header().Get("ETag") != answer.Header().Get("ETag") {
			t.Errorf("%s %s was told as\n%s %s, and is\n%s %s", do.method, path, answer.Header().Get("ETag"), answer.Body, is.Header().Get("ETag"), is.Body)
		}
	}
}

// TestWhoSomebodyIs: of those who edit a user as they saw them one succeeds; what is seen of the user doesn't count.
func TestWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := api.Prefix + w.fill(t, "/users/%U")
	tag := func() string { return w.send(http.MethodGet, user, "", nil).Header().Get("ETag") }
	before := tag()
	w.append(w.activity("anna@corp.example", "EVENT_CATEGORY_LOGIN"))
	if tag() != before {
		t.Error("the tag changes with what is seen of a user")
	}
	const many = 10
	statuses := make(chan int, many)
	for range many {
		go func() {
			statuses <- w.send(http.MethodPost, user+"/tags", `{"tags":["watched"]}`, http.Header{"If-Match": {before}}).Code
		}()
	}
	count := map[int]int{}
	for range many {
		count[<-statuses]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed] != many-1 {
		t.Errorf("answers by status: %v, want one 200 and %d times 412", count, many-1)
	}
	for _, do := range []struct{ path, body string }{{"/join", w.fill(t, `{"with":"%V"}`)}, {"/split", `{"spellings":["bo@corp.example"]}`}} {
		if answer := w.send(http.MethodPost, user+do.path, do.body, http.Header{"If-Match": {before}}); answer.Code != http.StatusPreconditionFailed {
			t.Errorf("%s with an old tag: %d %s", do.path, answer.Code, answer.Body)
		}
		answer := w.send(http.MethodPost, user+do.path, do.body, http.Header{"If-Match": {tag()}})
		if got := answer.Header().Get("ETag"); answer.Code != http.StatusOK || got != tag() {
			t.Errorf("%s: %d %s with the tag %s, want %s", do.path, answer.Code, answer.Body, got, tag())
		}
	}
}

// handing is a turn after which somebody does something at once.
type handing struct{ next func() }

func (handing) Lock()     {}
func (h handing) Unlock() { h.next() }

// TestTheTagOfAnAct: the answer to an act has the tag of what the act made, without what somebody else did after it.
func TestTheTagOfAnAct(t *testing.T) {
	t.Parallel()
	for _, do := range []struct{ document, path, body, next, other string }{
		{"/alerts/%A", "/alerts/comment", `{"alerts":["%A"],"text":"mine"}`, "/alerts/comment", `{"alerts":["%A"],"text":"theirs"}`},
		{"/users/%U", "/users/%U/tags", `{"tags":["sensitive"]}`, "/users/%U/tags", `{"tags":["watched"]}`},
	} {
		w := newWorld(t)
		var made string
		turn := handing{func() {
			made = w.send(http.MethodGet, api.Prefix+w.fill(t, do.document), "", nil).Header().Get("ETag")
			w.send(http.MethodPost, api.Prefix+w.fill(t, do.next), w.fill(t, do.other), nil)
		}}
		h := api.As(access.Principal{ID: "ida", Role: access.Admin}, api.New(api.Options{
			Model: w.model, Recorder: w, Version: "test", Log: slog.New(slog.DiscardHandler), Door: w.door, Turn: turn,
		}))
		answer := w.askAs(h, http.MethodPost, api.Prefix+w.fill(t, do.path), w.fill(t, do.body))
		if got := answer.Header().Get("ETag"); answer.Code != http.StatusOK || got != made {
			t.Errorf("%s: %d with the tag %s, want %s", do.path, answer.Code, got, made)
		}
	}
}
