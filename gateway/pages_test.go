package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/portal"
	"github.com/sluice-siem/sluice/gateway/stream"
	"github.com/sluice-siem/sluice/test/company"
)

// forgetful is a gateway whose stream has nothing any more.
type forgetful struct{ portal.Gateway }

func (forgetful) Received(context.Context, *model.Activity) (*formats.Notification, error) {
	return nil, stream.ErrPurged
}

// pagesOf gives the pages over a model by their paths.
func pagesOf(t *testing.T, m *model.Model) func(path string) string {
	pages := portal.New(portal.Options{
		Model: func(access.Scope) (*model.Model, error) { return m, nil }, Door: ajar{}, Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		Gateway: forgetful{},
	})
	return func(path string) string {
		t.Helper()
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %.500s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
}

// TestAUserWhileProfilesAreRead: after a start the list has the scores that were written last, and a user's page has
// everything but what the score is made of, and says so.
func TestAUserWhileProfilesAreRead(t *testing.T) {
	t.Parallel()
	o := model.Options{
		Dir: t.TempDir(), Stream: week(t, company.Size{People: 5, Activities: 50, Alerts: 5, Days: 2}), Config: config.Default(), Log: slog.New(slog.DiscardHandler),
		Raise: func(context.Context, formats.Notification) error { return nil },
	}
	follow(t, o)
	m, err := model.Open(t.Context(), o) // and it reads no profiles, as it doesn't run
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	get := pagesOf(t, m)
	list := get("/users")
	user := regexp.MustCompile(`data-open href="(/users/[^"]+)"(?s:.*?)<b class="points">`).FindStringSubmatch(list)
	if user == nil {
		t.Fatalf("no score in the list:\n%s", list)
	}
	page := get(user[1])
	for _, has := range []string{"The profiles of users are still being read", "<h2 id=\"names\">", "data-line"} {
		if !strings.Contains(page, has) {
			t.Errorf("no %q in\n%s", has, page)
		}
	}
	if strings.Contains(page, `value="reset"`) || strings.Contains(page, "made of") {
		t.Errorf("it knows what it can't:\n%s", page)
	}
}

// follow has a model follow its stream to the end, and ends it.
func follow(t *testing.T, o model.Options) {
	t.Helper()
	m, err := model.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	_, last := o.Stream.Bounds()
	if err := m.Wait(t.Context(), stream.Position{Sequence: last}); err != nil {
		t.Error(err)
	}
	stop()
	if err := errors.Join(<-done, m.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestPartsOfAScoreLeadToWhatTheyAre follows every part of every score of a company's two weeks.
func TestPartsOfAScoreLeadToWhatTheyAre(t *testing.T) {
	t.Parallel()
	m, _ := load(t, week(t, company.Size{People: 30, Activities: 4000, Alerts: 20, Days: 14}))
	get := pagesOf(t, m)
	list := get("/users")
	var scores []float64
	for _, s := range regexp.MustCompile(`<b class="points">([0-9.]+)</b>`).FindAllStringSubmatch(list, -1) {
		f, err := strconv.ParseFloat(s[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, -f)
	}
	if len(scores) < 5 || !slices.IsSorted(scores) {
		t.Errorf("the list has the scores %v, want some, the highest first", scores)
	}
	part := regexp.MustCompile(`data-open href="(/(?:alerts|activities)\?open=[^"]+)"><bdi>([^<]*)</bdi></a> <small class="nowrap">(alert|activity)`)
	followed := map[string]int{}
	for _, user := range regexp.MustCompile(`href="(/users/[^"?]+)"`).FindAllStringSubmatch(list, -1) {
		page := get(user[1])
		if strings.Contains(page, "not kept any more") {
			t.Errorf("%s: a part leads nowhere", user[1])
		}
		for _, p := range part.FindAllStringSubmatch(page, -1) {
			followed[p[3]]++
			title, _, _ := strings.Cut(html.UnescapeString(p[2]), ",") // behind the comma is the application
			if to := get(html.UnescapeString(p[1])); !strings.Contains(to, `<h2 tabindex="-1">`+html.EscapeString(title)) {
				t.Errorf("%s: %s is said to be %q, and isn't", user[1], p[1], title)
			}
		}
	}
	if followed["alert"] == 0 || followed["activity"] == 0 {
		t.Errorf("followed %v: too few", followed)
	}
}

// page asks for a page of the portal, or sends a form to it.
func (c caller) page(method, path, form string) (*http.Response, string) {
	c.g.t.Helper()
	r, err := http.NewRequestWithContext(c.g.t.Context(), method, c.g.watch.urls[0]+path, strings.NewReader(form))
	if err != nil {
		c.g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.g.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.g.t.Fatal(err)
	}
	return answer, string(text)
}

// TestPagesAreWhole looks at pages of a gateway with an alert that two services report: no ID is there twice (HTML
// Standard, section 3.2.6), no browser carries over a choice to a page that is read again, as Firefox does by the place in the
// form, where another alert may be by now, and what is previewed isn't saved.
func TestPagesAreWhole(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin := g.caller(access.Admin)
	both := incident{number: 1, user: "ida.brook", host: "WS-17"}
	g.send(both.mcas(), both.mdi())
	alert := admin.until(1)[0].ID
	admin.ask(http.StatusOK, http.MethodPost, "/alerts/assign", `{"alerts":["`+alert+`"],"to":"ida"}`)
	admin.ask(http.StatusOK, http.MethodPost, "/alerts/comment", `{"alerts":["`+alert+`"],"text":"`+strings.Repeat("long ", 200)+`"}`)

	id := regexp.MustCompile(` id="([^"]*)"`)
	form := regexp.MustCompile(`(?s)<form method="post"([^>]*)>(.*?)</form>`)
	user := regexp.MustCompile(`"id":"([0-9a-f]+)"`).FindStringSubmatch(admin.ask(http.StatusOK, http.MethodGet, "/users", ""))[1]
	for _, path := range []string{
		"/users/" + user, "/", "/alerts?open=" + alert, "/activities", "/users", "/policies", "/policies/new", "/policies/try", "/policies/builtin-mass-deletion",
		"/admin", "/admin/tokens", "/admin/audit", "/admin/licences",
	} {
		answer, page := admin.page(http.MethodGet, path, "")
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, answer.StatusCode, page)
		}
		seen := map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Errorf("%s has the ID %s twice", path, m[1])
			}
			seen[m[1]] = true
		}
		for _, f := range form.FindAllStringSubmatch(page, -1) {
			if (strings.Contains(f[2], "checkbox") || strings.Contains(f[2], "<select")) && !strings.Contains(f[1], `autocomplete="off"`) {
				t.Errorf("%s has a form in which a browser may keep what was chosen on another page: %s", path, f[0])
			}
		}
	}

	// What a script gets when it is opened is a page of its own without one, and leads back.
	opened := regexp.MustCompile(`hx-get="([^"]+)" hx-trigger="toggle`)
	for path, back := range map[string]string{"/alerts/facets": "/alerts", "/activities/facets": "/activities", "/alerts?open=" + alert: "/alerts?open=" + alert} {
		_, page := admin.page(http.MethodGet, path, "")
		parts := opened.FindAllStringSubmatch(page, -1)
		if len(parts) == 0 {
			t.Errorf("%s has nothing to be opened: %s", path, page)
		}
		for _, part := range parts {
			if !strings.Contains(page, `<noscript><a href="`+part[1]+`"`) {
				t.Errorf("%s has no link to %s", path, part[1])
			}
			if answer, page := admin.page(http.MethodGet, html.UnescapeString(part[1]), ""); answer.StatusCode != http.StatusOK || !strings.Contains(page, `<h1>`) || !strings.Contains(page, `<a href="`+back+`">Back to`) {
				t.Errorf("%s: %d %s", part[1], answer.StatusCode, page)
			}
		}
	}

	if _, page := admin.page(http.MethodGet, "/admin/audit?filter="+url.QueryEscape("act = comment"), ""); !strings.Contains(page, "long long") || !strings.Contains(page, "127.0.0.1") {
		t.Errorf("the audit log doesn't show from where a long comment is: %s", page)
	}

	fields := url.Values{"name": {"Downloads"}, "filter": {"action = download"}, "severity": {"low"}, "times": {"1"}, "enabled": {"1"}}.Encode()
	for do, status := range map[string]int{"preview": http.StatusOK, "": http.StatusUnprocessableEntity} {
		answer, page := admin.page(http.MethodPost, "/policies/new", fields+"&do="+do)
		if answer.StatusCode != status || strings.Contains(page, "it would have raised") != (do == "preview") {
			t.Errorf("do=%s: %d %s", do, answer.StatusCode, page)
		}
	}
	if answer, page := admin.page(http.MethodGet, "/policies/new?do=preview&"+strings.Replace(fields, "name=Downloads", "name=", 1), ""); answer.StatusCode != http.StatusOK || !strings.Contains(page, "it would have raised") {
		t.Errorf("a preview without a name: %d %s", answer.StatusCode, page)
	}
	twice := strings.Replace(fields, "times=1", "times=two", 1)
	if answer, page := admin.page(http.MethodPost, "/policies/new", twice+"&do=save"); answer.StatusCode == http.StatusOK || !strings.Contains(page, "times: found &#34;two&#34;") {
		t.Errorf("times that are no number: %d %s", answer.StatusCode, page)
	}
	for _, within := range []string{"-1h", "0s"} {
		if _, page := admin.page(http.MethodPost, "/policies/new", fields+"&do=preview&within="+within); !strings.Contains(page, "within: found &#34;"+within+"&#34;, expected more than 0s") {
			t.Errorf("within %s: %s", within, page)
		}
	}
	if all := admin.ask(http.StatusOK, http.MethodGet, "/policies", ""); strings.Contains(all, "Downloads") {
		t.Errorf("it was saved: %s", all)
	}
	if answer, page := admin.page(http.MethodPost, "/policies/new", fields+"&do=save"); answer.StatusCode != http.StatusOK || !strings.Contains(page, "Downloads") {
		t.Errorf("do=save: %d %s", answer.StatusCode, page)
	}
}

// TestAllThatFitAreThoseThatAreShown: a condition that the form beside the filter adds counts for what is done on its page, too.
func TestAllThatFitAreThoseThatAreShown(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	operator := g.caller(access.Operator)
	g.send(incident{number: 1, user: "ida.brook", host: "WS-17"}.mdi(), incident{number: 2, user: "kara.lund", host: "WS-18"}.mdi())
	operator.until(2)
	for _, tt := range []struct {
		at, form string
		status   int
		did      string // what the address says then
	}{
		{"filter=status+%3D+open&field=user&op=%3D+x&value=ibrook", "do=benign&fitting=1", http.StatusUnprocessableEntity, ""},
		{"filter=status+%3D+", "do=benign&fitting=1", http.StatusUnprocessableEntity, ""},
		{"", "do=benign&fitting=1", http.StatusUnprocessableEntity, ""},
		{"filter=status+%3D+open&field=user&op=contains&value=ibrook", "do=save_query&name=hers", http.StatusOK, "save"},
		{"filter=status+%3D+open&field=user&op=contains&value=ibrook", "do=benign&fitting=1", http.StatusOK, "close"},
	} {
		answer, page := operator.page(http.MethodPost, "/alerts?"+tt.at, tt.form)
		if answer.StatusCode != tt.status || answer.Request.URL.Query().Get("did") != tt.did {
			t.Errorf("%s at %q: %d at %s, want %d\n%s", tt.form, tt.at, answer.StatusCode, answer.Request.URL, tt.status, page)
		}
	}
	for _, at := range []string{"filter=%zz", "filter=user+contains+ibrook;x"} {
		if answer, page := operator.page(http.MethodGet, "/alerts?"+at, ""); answer.StatusCode != http.StatusBadRequest || !strings.Contains(page, "The address can&#39;t be read: invalid ") || strings.Contains(page, "data-line") {
			t.Errorf("%s: %d %s", at, answer.StatusCode, page)
		}
	}
	if open := operator.ask(http.StatusOK, http.MethodGet, "/alerts?filter=status+%3D+open", ""); !strings.Contains(open, "klund") || strings.Contains(open, "ibrook") {
		t.Errorf("open is %s, want what wasn't shown", open)
	}
	if saved := operator.ask(http.StatusOK, http.MethodGet, "/queries", ""); !strings.Contains(saved, `"status = open and user contains ibrook"`) {
		t.Errorf("saved is %s", saved)
	}
}

// TestAnOldPageTakesNothingAway: what somebody did after a page was shown isn't undone by its buttons without a word.
func TestAnOldPageTakesNothingAway(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	first, second, admin := g.caller(access.Operator), g.caller(access.Operator), g.caller(access.Admin)
	g.send(incident{number: 1, user: "ida.brook", host: "WS-17"}.mdi())
	alert := first.until(1)[0].ID
	hidden := regexp.MustCompile(`<input type="hidden" name="assigned" value="([^"]*)">`)
	take := "do=take&alert=" + alert
	if answer, page := first.page(http.MethodPost, "/alerts", take); answer.StatusCode != http.StatusOK || !hidden.MatchString(page) {
		t.Fatalf("the first can't take it: %d %s", answer.StatusCode, page)
	}
	if answer, page := first.page(http.MethodPost, "/alerts", take); answer.StatusCode != http.StatusOK {
		t.Errorf("the first can't take it again: %d %s", answer.StatusCode, page)
	}
	if answer, page := second.page(http.MethodPost, "/alerts", "do=assign&to=&alert="+alert); answer.StatusCode != http.StatusConflict {
		t.Errorf("the second takes it from the first for nobody: %d %s", answer.StatusCode, page)
	}
	answer, page := second.page(http.MethodPost, "/alerts", take)
	if answer.StatusCode != http.StatusConflict || !strings.Contains(page, "is assigned to operator (token ") {
		t.Errorf("the second takes it from the first without a word: %d %s", answer.StatusCode, page)
	}
	seen := hidden.FindStringSubmatch(page)
	if seen == nil {
		t.Fatalf("the page doesn't say who has it: %s", page)
	}
	if answer, page := second.page(http.MethodPost, "/alerts", take+"&assigned="+url.QueryEscape(html.UnescapeString(seen[1]))); answer.StatusCode != http.StatusOK {
		t.Errorf("the second can't take it, having seen who has it: %d %s", answer.StatusCode, page)
	}

	const fields = `"severity":"low","filter":"action = download","times":3,"within":"1h","enabled":false}`
	var p struct{ ID string }
	if err := json.Unmarshal([]byte(admin.ask(http.StatusCreated, http.MethodPost, "/policies", `{"name":"p",`+fields)), &p); err != nil {
		t.Fatal(err)
	}
	admin.send(http.StatusOK, http.MethodPut, "/policies/"+p.ID, `{"name":"renamed",`+fields, `"1"`)
	form := url.Values{"name": {"p"}, "filter": {"action = delete"}, "severity": {"low"}, "times": {"3"}, "within": {"1h"}, "revision": {"1"}}.Encode()
	if _, page := admin.page(http.MethodGet, "/policies/"+p.ID+"?do=preview&"+form, ""); !strings.Contains(page, `name="revision" value="1"`) {
		t.Errorf("the preview of what is old is as if it were new: %s", page)
	}
	for range 2 {
		answer, page := admin.page(http.MethodPost, "/policies/"+p.ID, "do=save&"+form)
		if answer.StatusCode != http.StatusPreconditionFailed || !strings.Contains(page, "Somebody has changed it meanwhile") || !strings.Contains(page, `name="revision" value="1"`) {
			t.Errorf("what is old is saved: %d %s", answer.StatusCode, page)
		}
	}
}

// TestWhoForgetsASharedQuery: whoever saved it, and an admin without a limit, for some leave without tidying up. Nobody else is
// offered to.
func TestWhoForgetsASharedQuery(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	gone, viewer, admin := g.caller(access.Operator), g.caller(access.Viewer), g.caller(access.Admin)
	var q struct{ ID string }
	if err := json.Unmarshal([]byte(gone.ask(http.StatusCreated, http.MethodPost, "/queries", `{"name":"left behind","of":"alerts","filter":"status = open","shared":true}`)), &q); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who    caller
		status int
	}{{viewer, http.StatusConflict}, {admin, http.StatusOK}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.watch.urls[0]+"/alerts", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tt.who.token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		offered := strings.Contains(string(page), "Forget the query left behind")
		if err != nil || !strings.Contains(string(page), "left behind") || offered != (tt.status == http.StatusOK) {
			t.Errorf("%v: the page offers to forget it: %v", err, offered)
		}
		tt.who.tagged(tt.status, http.MethodDelete, "/queries/"+q.ID, `"1"`)
	}
}

// TestWhatIsForgottenIsOnRecord as what it was: only of a query that was another's, and shared, does it say so.
func TestWhatIsForgottenIsOnRecord(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin, other := g.caller(access.Admin), g.caller(access.Viewer)
	for _, tt := range []struct {
		owner  caller
		shared string
		want   bool
	}{{admin, "false", false}, {admin, "true", false}, {other, "true", true}} {
		var q struct{ ID string }
		if err := json.Unmarshal([]byte(tt.owner.ask(http.StatusCreated, http.MethodPost, "/queries", `{"name":"x","of":"alerts","filter":"status = open","shared":`+tt.shared+`}`)), &q); err != nil {
			t.Fatal(err)
		}
		admin.tagged(http.StatusOK, http.MethodDelete, "/queries/"+q.ID, `"1"`)
		log := admin.ask(http.StatusOK, http.MethodGet, "/audit?filter=act+%3D+drop_query", "")
		line := log[strings.LastIndex(log[:strings.LastIndex(log, q.ID)], "{"):]
		if got := strings.Contains(line[:strings.Index(line, "}")], "shared"); got != tt.want {
			t.Errorf("shared %s: the audit log says shared: %v, want %v: %s", tt.shared, got, tt.want, log)
		}
	}
}

// TestAQueryThatIsForgottenIsGone for those, too, who see less than the admin who forgets it.
func TestAQueryThatIsForgottenIsGone(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	gone, other := g.caller(access.Operator, "defender_for_identity"), g.caller(access.Viewer, "defender_for_identity")
	var q struct{ ID string }
	if err := json.Unmarshal([]byte(gone.ask(http.StatusCreated, http.MethodPost, "/queries", `{"name":"left behind","of":"alerts","filter":"status = open","shared":true}`)), &q); err != nil {
		t.Fatal(err)
	}
	other.ask(http.StatusOK, http.MethodGet, "/queries/"+q.ID, "")
	g.caller(access.Admin).tagged(http.StatusOK, http.MethodDelete, "/queries/"+q.ID, `"1"`)
	eventually(t, "it is gone", func() bool {
		return !strings.Contains(other.ask(http.StatusOK, http.MethodGet, "/queries", ""), "left behind")
	})
}

// TestATrialIsOfWhatAnInputTakes: what every input would cut is cut here, too, and what is no line at all is not read.
func TestATrialIsOfWhatAnInputTakes(t *testing.T) {
	t.Parallel()
	g := startTimed(t, frontDoor(t, func(c *config.Config) {
		c.Model.Enabled, c.HTTP.Listen = true, "127.0.0.1:0"
	}), 0)
	eventually(t, "the model is open", func() bool { return g.show.model.Load() != nil })
	admin := g.caller(access.Admin)
	for _, tt := range []struct {
		bytes, status int
		want          string
	}{
		{64 << 10, http.StatusOK, "&#34;truncated&#34;:false"},
		{64<<10 + 1, http.StatusOK, "&#34;truncated&#34;:true"},
		{1 << 20, http.StatusUnprocessableEntity, "request body too large"},
	} {
		form := url.Values{"line": {strings.Repeat("x", tt.bytes)}}.Encode()
		answer, page := admin.page(http.MethodPost, "/policies/try", form)
		if answer.StatusCode != tt.status || !strings.Contains(page, tt.want) {
			t.Errorf("%d bytes: %d %.3000s, want %d and %s", tt.bytes, answer.StatusCode, page, tt.status, tt.want)
		}
	}
}
