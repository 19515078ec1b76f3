package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// TestWhatAnActSaysIsSo: it counts the alerts that it changed, and can be undone where it says so.
func TestWhatAnActSaysIsSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	decided := policy.Decision{Action: dedup.Forward, ManagedIn: formats.DefenderForIdentity, Reason: policy.ManagedHere}
	w.append(w.alert("a2", formats.DefenderForIdentity, "m2", `CORP\\bo`, decided, dedup.First))
	for _, do := range []struct {
		path, body string
		alerts     int
	}{
		{"/alerts/mark", `{"alerts":["a1"],"read":false}`, 0}, // as it is
		{"/alerts/mark", `{"alerts":["a1"],"read":true}`, 1},
		{"/alerts/mark", `{"alerts":["a1","a2"],"read":true}`, 1},
		{"/alerts/mark", `{"alerts":["a1","a2","a1"],"read":true}`, 0},
		{"/alerts/assign", `{"alerts":["a2"],"to":"anna"}`, 1},
		{"/alerts/assign", `{"filter":"status = open","to":"anna"}`, 1},
		{"/alerts/close", `{"alerts":["a1"],"classification":"benign"}`, 1},
		{"/alerts/close", `{"filter":"status is set","classification":"benign"}`, 1},
		{"/alerts/comment", `{"filter":"status is set","text":"x"}`, 2},
	} {
		answer := w.send(http.MethodPost, api.Prefix+do.path, do.body, nil)
		var act struct {
			Act     string
			Alerts  *int
			CanUndo bool `json:"can_undo"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &act); err != nil || answer.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", do.path, do.body, answer.Code, answer.Body)
		}
		if act.Alerts == nil || *act.Alerts != do.alerts || act.CanUndo != (do.alerts > 0) {
			t.Errorf("%s %s: %s, want %d changed", do.path, do.body, answer.Body, do.alerts)
		}
		undone := w.send(http.MethodPost, api.Prefix+"/alerts/undo", `{"act":"`+act.Act+`"}`, nil)
		if (undone.Code == http.StatusOK) != act.CanUndo {
			t.Errorf("%s %s: can be undone: %v, but undoing it is %d %s", do.path, do.body, act.CanUndo, undone.Code, undone.Body)
		}
		if err := json.Unmarshal(undone.Body.Bytes(), &act); err != nil || undone.Code == http.StatusOK && *act.Alerts != do.alerts {
			t.Errorf("%s %s: undoing it says %s, want %d changed", do.path, do.body, undone.Body, do.alerts)
		}
		if undone.Code == http.StatusOK { // and again, which undoes the undoing
			if again := w.send(http.MethodPost, api.Prefix+"/alerts/undo", `{"act":"`+act.Act+`"}`, nil); act.CanUndo != (again.Code == http.StatusOK) {
				t.Errorf("%s %s: undoing the undoing: %d %s", do.path, do.body, again.Code, again.Body)
			}
		}
	}
}

// overtaken is a turn for which somebody else has theirs first.
type overtaken struct{ by func() }

func (o overtaken) Lock() { o.by() }

func (overtaken) Unlock() {}

// TestWhatIsSoIsReadInTurn: what an act goes by is what is so when it is its turn, though somebody else was faster by a moment.
func TestWhatIsSoIsReadInTurn(t *testing.T) {
	t.Parallel()
	taken := model.Assign{Alerts: []string{"a1"}, To: "otto"}
	for _, tt := range []struct {
		name   string
		first  func(*world) model.Act
		path   string // U is anna
		body   string
		status int
		says   string
		has    string // of the alert who has it, of anna her tags
	}{
		{"what a filter fits", func(*world) model.Act { return taken }, "/alerts/assign", `{"filter":"assigned is not set","to":"ida"}`, http.StatusNotFound, "no alert fits the filter", "otto"},
		{"nobody had it", func(*world) model.Act { return taken }, "/alerts/assign", `{"alerts":["a1"],"to":"ida","seen":{}}`, http.StatusConflict, "alert a1 is assigned to otto meanwhile", "otto"},
		{"another had it", func(*world) model.Act { return taken }, "/alerts/assign", `{"alerts":["a1"],"to":"","seen":{"a1":"eve"}}`, http.StatusConflict, "alert a1 is assigned to otto meanwhile", "otto"},
		{"one had it", func(*world) model.Act { return taken }, "/alerts/assign", `{"alerts":["a1"],"to":"ida","seen":{"a1":"otto"}}`, http.StatusOK, "", "ida"},
		{"it is theirs already", func(*world) model.Act { return taken }, "/alerts/assign", `{"alerts":["a1"],"to":"otto","seen":{}}`, http.StatusOK, `"alerts":0`, "otto"},
		{"nobody asks who had it", func(*world) model.Act { return taken }, "/alerts/assign", `{"alerts":["a1"],"to":"ida"}`, http.StatusOK, "", "ida"},
		{"tags that weren't there", func(w *world) model.Act { return model.Tag{User: w.ids["U"], Tags: []string{"watched"}} }, "/users/U/tags", `{"tags":["admin"],"seen":[]}`, http.StatusOK, "", "admin,watched"},
		{"all tags", func(w *world) model.Act { return model.Tag{User: w.ids["U"], Tags: []string{"watched"}} }, "/users/U/tags", `{"tags":["admin"]}`, http.StatusOK, "", "admin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			late := api.As(access.Principal{ID: "ida", Role: access.Operator}, api.New(api.Options{
				Model: w.model, Recorder: w, Log: slog.New(slog.DiscardHandler), Turn: overtaken{func() { w.do(tt.first(w)) }},
			}))
			answer := w.askAs(late, http.MethodPost, api.Prefix+strings.Replace(tt.path, "U", w.ids["U"], 1), tt.body)
			if answer.Code != tt.status || !strings.Contains(answer.Body.String(), tt.says) {
				t.Errorf("%d %s, want %d with %q", answer.Code, answer.Body, tt.status, tt.says)
			}
			a, err := w.model.Alert(t.Context(), "a1")
			if err != nil {
				t.Fatal(err)
			}
			u, err := w.model.User(t.Context(), w.ids["U"])
			if err != nil {
				t.Fatal(err)
			}
			if has := a.Assigned + strings.Join(u.Tags, ","); has != tt.has {
				t.Errorf("then it is %q, want %q", has, tt.has)
			}
		})
	}
}

// TestASlowFilterHoldsNobodyUp: an act gives its turn back when its filter takes too long.
func TestASlowFilterHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hasty := api.As(access.Principal{ID: "ida", Role: access.Operator}, api.New(api.Options{
		Model: w.model, Recorder: w, Log: slog.New(slog.DiscardHandler), Patience: time.Nanosecond,
	}))
	for body, status := range map[string]int{`{"filter":"status = open","read":true}`: http.StatusUnprocessableEntity, `{"alerts":["a1"],"read":true}`: http.StatusOK} {
		answer := w.askAs(hasty, http.MethodPost, api.Prefix+"/alerts/mark", body)
		if answer.Code != status || (status == http.StatusUnprocessableEntity) != strings.Contains(answer.Body.String(), "the filter takes longer than 1ns") {
			t.Errorf("%s: %d %s, want %d", body, answer.Code, answer.Body, status)
		}
	}
}

// TestRetagged: what is chosen changes those tags that were seen, and leaves to others what they did meanwhile.
func TestRetagged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct{ has, seen, chosen, want string }{
		{"", "", "", ""},
		{"", "", "admin", "admin"},
		{"admin", "admin", "", ""},
		{"admin", "admin", "admin watched", "admin watched"},
		{"watched", "", "admin", "admin watched"},
		{"watched", "", "watched", "watched"},
		{"", "admin", "admin", ""},
		{"watched", "admin watched", "admin sensitive", "sensitive"},
	} {
		w.do(model.Tag{User: w.ids["U"], Tags: strings.Fields(tt.has)})
		body, err := json.Marshal(map[string]any{"tags": strings.Fields(tt.chosen), "seen": strings.Fields(tt.seen)})
		if err != nil {
			t.Fatal(err)
		}
		if answer := w.send(http.MethodPost, api.Prefix+"/users/"+w.ids["U"]+"/tags", string(body), nil); answer.Code != http.StatusOK {
			t.Errorf("%s: %d %s", body, answer.Code, answer.Body)
		}
		u, err := w.model.User(t.Context(), w.ids["U"])
		if got := strings.Join(u.Tags, " "); err != nil || got != tt.want {
			t.Errorf("has %q, sends %s: has %q, %v, want %q", tt.has, body, got, err, tt.want)
		}
	}
}

// TestWhoMayUndo: a viewer is told of nothing that it could take back.
func TestWhoMayUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for role, may := range map[access.Role]bool{access.Viewer: false, access.Operator: true} {
		h := api.As(access.Principal{ID: "ida", Role: role}, w.api)
		var history []struct {
			CanUndo bool `json:"can_undo"`
		}
		answer := w.askAs(h, http.MethodGet, "/api/v1/alerts/a1/history", "")
		if err := json.Unmarshal(answer.Body.Bytes(), &history); err != nil || len(history) != 1 || history[0].CanUndo != may {
			t.Errorf("%s is told %s, want it can be undone: %v", role, answer.Body, may)
		}
	}
}

// TestHowLongAPolicyCounts is said as everywhere else, in days too.
func TestHowLongAPolicyCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		within string
		status int
		want   string
	}{
		{"90m", http.StatusCreated, `"within":"1h30m0s"`},
		{"1d12h", http.StatusCreated, `"within":"36h0m0s"`},
		{"7d", http.StatusCreated, `"within":"168h0m0s"`},
		{"8d", http.StatusUnprocessableEntity, "within is at most 7 days"},
		{"1w", http.StatusUnprocessableEntity, `found \"1w\", expected a duration such as 90s, 10m, 72h or 30d`},
		{"-1h", http.StatusUnprocessableEntity, `found \"-1h\", expected more than 0s`},
	} {
		answer := w.send(http.MethodPost, api.Prefix+"/policies", `{"name":"x","severity":"low","filter":"action = delete","times":10,"within":"`+tt.within+`","enabled":false}`, nil)
		if answer.Code != tt.status || !strings.Contains(answer.Body.String(), tt.want) {
			t.Errorf("within %s: %d %s, want %d and %s", tt.within, answer.Code, answer.Body, tt.status, tt.want)
		}
	}
}

// TestTheAuditLogHasTextAsItWasWritten, so that it is found by what was typed.
func TestTheAuditLogHasTextAsItWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, text := range []string{`"severity >= medium & <seen>"`, `"user = \"Ida Brook\" on \\\\share\\new"`} {
		w.send(http.MethodPost, api.Prefix+"/alerts/comment", `{"alerts":["a1"],"text":`+text+`}`, nil)
		found := w.ask(http.MethodGet, api.Prefix+"/audit?filter="+url.QueryEscape(`act = comment and details contains `+text), "").Body.String()
		if !strings.Contains(found, `"text":`+text) {
			t.Errorf("%s: found %s", text, found)
		}
	}
}
