package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Page is a window with cookies of its own.
type Page struct {
	b       *Browser
	session string
	host    string // the one that pages may ask

	mu       sync.Mutex // guards problems
	problems []string
}

type object = map[string]any

// Page opens a window of 1440 by 900. Whatever it asks of another host than base's, what its console calls an error, and
// what a policy forbids it, is a problem.
func (b *Browser) Page(base string) *Page {
	b.t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		b.t.Fatal(err)
	}
	var context struct{ BrowserContextID string }
	b.call("", "Target.createBrowserContext", nil, &context)
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", object{"url": "about:blank", "browserContextId": context.BrowserContextID}, &target)
	var attached struct{ SessionID string }
	b.call("", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &Page{b: b, session: attached.SessionID, host: u.Host}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.call(domain+".enable", nil, nil)
	}
	p.Size(1440, 900)
	return p
}

func (p *Page) call(method string, params, out any) {
	p.b.t.Helper()
	p.b.call(p.session, method, params, out)
}

// happened looks at an event.
func (p *Page) happened(m message) {
	var e struct {
		Type    string
		Request struct{ URL string }
		Entry   struct{ Level, Source, Text, URL string }
		Args    []struct{ Value, Description any }
		Details struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	if json.Unmarshal(m.Params, &e) != nil {
		return
	}
	switch m.Method {
	case "Network.requestWillBeSent":
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != p.host && u.Scheme != "data" && u.Scheme != "about" {
			p.problem("asked for " + e.Request.URL)
		}
	case "Runtime.exceptionThrown":
		p.problem(e.Details.Text + " " + e.Details.Exception.Description)
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "assert" {
			p.problem(fmt.Sprint("console: ", e.Args))
		}
	case "Log.entryAdded":
		if e.Entry.Level == "error" && e.Entry.Source != "network" { // an answer of 4xx is looked at where it is expected
			p.problem(e.Entry.Source + ": " + e.Entry.Text)
		}
	}
}

func (p *Page) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// Problems are those since it was called before.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.problems
	p.problems = nil
	return out
}

// Size makes the window so large.
func (p *Page) Size(width, height int) {
	p.b.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", object{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Prefer says what its user prefers: light or dark, and little motion, so that pictures are of what stands still.
func (p *Page) Prefer(scheme string) {
	p.b.t.Helper()
	p.call("Emulation.setEmulatedMedia", object{"features": []object{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
}

// Slow makes its line one of 20 KB a second on which an answer takes 100 ms. What it got before, it keeps.
func (p *Page) Slow() {
	p.b.t.Helper()
	p.call("Network.emulateNetworkConditions", object{"offline": false, "latency": 100, "downloadThroughput": 20_000, "uploadThroughput": 20_000}, nil)
}

// Go opens an address and waits until it is there.
func (p *Page) Go(address string) {
	p.b.t.Helper()
	p.Eval("void (window.leaving = true)", nil)
	p.call("Page.navigate", object{"url": address}, nil)
	p.Wait("!window.leaving && document.readyState === 'complete'")
}

// Reload loads the page again, and waits until it is there.
func (p *Page) Reload() {
	p.b.t.Helper()
	p.Eval("void (window.leaving = true)", nil)
	p.call("Page.reload", nil, nil)
	p.Wait("!window.leaving && document.readyState === 'complete'")
}

// Eval runs an expression and reads its value into out.
func (p *Page) Eval(expression string, out any) {
	p.b.t.Helper()
	if err := p.eval(expression, out); err != nil {
		p.b.t.Fatal(err)
	}
}

func (p *Page) eval(expression string, out any) error {
	result, err := p.b.send(p.session, "Runtime.evaluate", object{"expression": expression, "awaitPromise": true, "returnByValue": true})
	if err != nil {
		return err
	}
	var r struct {
		Result  struct{ Value json.RawMessage }
		Details *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return err
	}
	if r.Details != nil {
		return fmt.Errorf("%.200s: %s %s", expression, r.Details.Text, r.Details.Exception.Description)
	}
	if out == nil || r.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, out)
}

// Wait polls until an expression is true. A page that goes away meanwhile is no error.
func (p *Page) Wait(expression string) {
	p.b.t.Helper()
	until := time.Now().Add(patience)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		var ok bool
		err := p.eval("Boolean("+expression+")", &ok)
		if err == nil && ok {
			return
		}
		if time.Now().After(until) {
			var text string
			_ = p.eval("location.href + '\\n' + document.body.innerText", &text) // the failure says more with it
			p.b.t.Fatalf("never came true: %s (%v)\n%.3000s", expression, err, text)
		}
		<-time.After(wait)
	}
}

// Text is what the element that a selector finds shows.
func (p *Page) Text(selector string) string {
	p.b.t.Helper()
	var out string
	p.Eval("(document.querySelector("+quote(selector)+") || {}).innerText || ''", &out)
	return out
}

// WaitText polls until an element shows a text.
func (p *Page) WaitText(selector, text string) {
	p.b.t.Helper()
	p.Wait("((document.querySelector(" + quote(selector) + ") || {}).innerText || '').includes(" + quote(text) + ")")
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a text
	}
	return string(b)
}

// Keys presses one key after the other: a character, or the name of a key.
func (p *Page) Keys(keys ...string) {
	p.b.t.Helper()
	for _, key := range keys {
		down := object{"type": "keyDown", "key": key}
		switch code := map[string]int{"Enter": 13, "Escape": 27, "Tab": 9, "Backspace": 8, "ArrowDown": 40, "ArrowUp": 38, "End": 35, "Home": 36}[key]; {
		case key == "Space":
			down["key"], down["text"], down["code"], down["windowsVirtualKeyCode"] = " ", " ", "Space", 32
		case key == "Enter":
			down["text"], down["code"], down["windowsVirtualKeyCode"] = "\r", key, code
		case code != 0:
			down["code"], down["windowsVirtualKeyCode"] = key, code
		case utf8.RuneCountInString(key) == 1:
			down["text"] = key
		default:
			p.b.t.Fatalf("there is no key %q", key)
		}
		p.call("Input.dispatchKeyEvent", down, nil)
		p.call("Input.dispatchKeyEvent", object{"type": "keyUp", "key": down["key"]}, nil)
	}
}

// Type writes a text where the focus is.
func (p *Page) Type(text string) {
	p.b.t.Helper()
	p.call("Input.insertText", object{"text": text}, nil)
}

// Tab presses Tab until the focus is on what a selector finds.
func (p *Page) Tab(selector string) {
	p.b.t.Helper()
	for range 300 {
		var there bool
		p.Eval("document.activeElement.matches("+quote(selector)+")", &there)
		if there {
			return
		}
		p.Keys("Tab")
	}
	p.b.t.Fatalf("Tab doesn't lead to %s", selector)
}

// Shot writes a picture of the window, below the directory in SLUICE_SHOTS; nothing where that isn't set. It is a WebP
// where the name ends so, else a PNG.
func (p *Page) Shot(name string) {
	p.b.t.Helper()
	dir := os.Getenv("SLUICE_SHOTS")
	if dir == "" {
		return
	}
	settings := object{"format": "png"}
	if strings.HasSuffix(name, ".webp") {
		settings = object{"format": "webp", "quality": 75}
	} else {
		name += ".png"
	}
	var shot struct{ Data string }
	p.call("Page.captureScreenshot", settings, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")), data, 0o666)
	}
	if err != nil {
		p.b.t.Fatal(err)
	}
}

// Cookie is the value of one that the page's host has set, scripts may read it or not; empty where there is none.
func (p *Page) Cookie(name string) string {
	p.b.t.Helper()
	var all struct {
		Cookies []struct{ Name, Value string }
	}
	p.call("Network.getCookies", nil, &all)
	for _, c := range all.Cookies {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
