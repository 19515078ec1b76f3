package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/problem"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// mostViews is how many different limits there may be at once: each follows the stream and has its files.
const mostViews = 16

// views are the models of those who see a part only. One is opened when somebody with that limit first asks, or made
// from what the stream has, and then followed until the gateway stops, so that it misses nothing.
type views struct {
	g    *Gateway
	turn sync.Locker

	mu    sync.Mutex                        // guards what follows
	make  func(access.Scope) (*view, error) // while they run
	most  int                               // mostViews, but in tests
	open  map[string]*view
	roles map[string]access.Scope // the limits of the configuration, for which there is always place
	done  sync.WaitGroup
}

type view struct {
	model   *model.Model
	handler http.Handler
	begun   stream.Position // where the stream was when the view was opened: with less it would show too little
	use     *use
	end     context.CancelFunc
	ended   bool // views.mu guards it: it answers nobody any more, and its files are being closed
}

func newViews(g *Gateway, turn sync.Locker) *views {
	return &views{g: g, turn: turn, most: mostViews, open: map[string]*view{}, roles: limitsOf(g.config)}
}

// limitsOf are the limits of the configuration's roles, by their keys.
func limitsOf(c config.Config) map[string]access.Scope {
	out := map[string]access.Scope{}
	for _, r := range c.Access.Roles {
		if s := (access.Scope{Services: r.Services, Applications: r.Applications}); !s.Whole() {
			out[s.Key()] = s
		}
	}
	return out
}

func (v *views) dir() string { return filepath.Join(v.g.config.DataDir, "views") }

// run opens the views that are wanted at once, and removes the files of limits that nobody has any more, until ctx ends.
func (v *views) run(ctx context.Context) {
	v.mu.Lock()
	v.make = func(s access.Scope) (*view, error) { return v.begin(ctx, s) }
	v.mu.Unlock()
	v.clean(v.wanted())
	for _, s := range v.atOnce() {
		if _, err := v.of(s); err != nil {
			v.g.log.Error("the view of a limited role can't be opened; it is tried again when somebody asks", "sees", s.String(), "err", err)
		}
	}
	<-ctx.Done()
	v.mu.Lock()
	v.make = nil
	v.mu.Unlock()
	v.done.Wait()
}

// atOnce are the limits whose views are opened at the start: all of the roles, and of the tokens those that were used last.
func (v *views) atOnce() []access.Scope {
	v.mu.Lock()
	most := v.most
	v.mu.Unlock()
	out := slices.Collect(maps.Values(v.roles))
	tokens := v.g.door.Tokens(access.Local())
	slices.SortStableFunc(tokens, func(a, b access.Token) int { return b.Used.Compare(a.Used) })
	for _, t := range tokens {
		if len(out) < most && !t.Scope.Whole() && !slices.ContainsFunc(out, func(s access.Scope) bool { return s.Key() == t.Scope.Key() }) {
			out = append(out, t.Scope)
		}
	}
	return out
}

// wanted are the limits that somebody has now.
func (v *views) wanted() map[string]access.Scope {
	wanted := maps.Clone(v.roles)
	for _, t := range v.g.door.Tokens(access.Local()) {
		wanted[t.Scope.Key()] = t.Scope
	}
	return wanted
}

func (v *views) clean(wanted map[string]access.Scope) {
	entries, err := os.ReadDir(v.dir())
	for _, e := range entries {
		if _, ok := wanted[e.Name()]; !ok {
			err = errors.Join(err, os.RemoveAll(filepath.Join(v.dir(), e.Name())))
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		v.g.log.Warn("files of limits that nobody has any more can't be removed", "err", err)
	}
}

// of is what answers those who see a scope; nil for everything.
func (v *views) of(s access.Scope) (*view, error) {
	if s.Whole() {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if w := v.open[s.Key()]; w != nil {
		if w.ended {
			return nil, errors.New("it has ended, and its files are being closed")
		}
		return w, nil
	}
	_, ofRole := v.roles[s.Key()]
	switch {
	case v.make == nil:
		return nil, errors.New("the gateway starts or stops")
	case !ofRole && v.ofTokens() >= v.most-len(v.roles):
		v.endUnwanted()
		return nil, fmt.Errorf("%d different limits are in use, and there can be no more: revoke tokens, or join lines of access.roles", v.most)
	}
	w, err := v.make(s)
	if err != nil {
		return nil, err
	}
	v.open[s.Key()] = w
	return w, nil
}

// ofTokens is how many of the open views no role of the configuration has.
func (v *views) ofTokens() int {
	n := 0
	for key := range v.open {
		if _, ofRole := v.roles[key]; !ofRole {
			n++
		}
	}
	return n
}

// endUnwanted ends the views of tokens that are no more, to make place.
func (v *views) endUnwanted() {
	wanted := v.wanted()
	for key, w := range v.open {
		if _, ok := wanted[key]; !ok {
			w.end()
		}
	}
}

// begin opens a view and follows the stream until ctx ends.
func (v *views) begin(ctx context.Context, s access.Scope) (*view, error) {
	log := v.g.log.With("component", "view", "sees", s.String())
	_, last := v.g.stream.Bounds()
	m, err := model.Open(ctx, model.Options{
		Dir: filepath.Join(v.dir(), s.Key()), Stream: v.g.stream, Config: v.g.config, Log: log, Scope: s, Whole: v.g.show.model.Load,
		Pressed: v.g.pipeline.isPressed, Processors: v.g.show.processors, Room: v.g.pipeline.space.forModel,
	})
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	handler := api.New(api.Options{Model: m, Recorder: recorder{v.g}, Version: Version(), Log: log, Door: v.g.door, Turn: v.turn})
	w := &view{model: m, handler: handler, begun: stream.Position{Sequence: last}, use: newUse(ctx), end: end}
	v.done.Go(func() {
		defer end()
		v.follow(ctx, s, w)
	})
	return w, nil
}

// follow keeps a view up to date. One that fails is opened anew when somebody asks.
func (v *views) follow(ctx context.Context, s access.Scope, w *view) {
	err := w.model.Run(ctx)
	v.g.pipeline.metrics.modelEnded(err)
	v.mu.Lock()
	w.ended = true
	v.mu.Unlock()
	w.use.finish()
	err = errors.Join(err, w.model.Close()) // before it may be opened anew: its files may be taken away
	v.mu.Lock()
	delete(v.open, s.Key())
	v.mu.Unlock()
	if err != nil {
		v.g.log.Error("the view of a limited role ended", "sees", s.String(), "err", err)
	}
}

// serve answers a limited role.
func (v *views) serve(w http.ResponseWriter, r *http.Request, s access.Scope) {
	seen, err := v.of(s)
	if err != nil {
		v.g.log.Error("the view of a limited role can't be opened", "sees", s.String(), "err", err)
		notNow(w, "what you may see can't be shown now: the gateway's log says why")
		return
	}
	if !seen.use.serve(w, r, http.HandlerFunc(seen.serve)) {
		notNow(w, "what you may see can't be shown now, as it is being opened anew")
	}
}

func (v *view) serve(w http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), viewPatience)
	defer stop()
	if err := v.model.Wait(ctx, v.begun); err != nil {
		notNow(w, "what you may see is being gathered from the stream, as nobody with that limit asked before")
		return
	}
	v.handler.ServeHTTP(w, r)
}

// notNow answers that it is worth asking again.
func notNow(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "10")
	problem.Write(w, http.StatusServiceUnavailable, problem.New(http.StatusServiceUnavailable, why))
}

// viewPatience is how long somebody waits for a view to show what there is.
const viewPatience = 5 * time.Second

// Access says in words who would get which role by a configuration, a line for each.
func Access(c config.Config) []string { return access.Explain(c.Access) }

// openDoor opens what lets people and programs in.
func openDoor(g *Gateway) (*access.Door, error) {
	return access.Open(access.Options{
		Access: g.config.Access, Proxies: g.config.HTTP.Proxies, DataDir: g.config.DataDir, Log: g.log.With("component", "access"),
		Note: func(ctx context.Context, e access.Event) {
			ctx = context.WithoutCancel(ctx) // who asked may be gone
			if err := g.note(ctx, e.By, model.Noted{What: e.What, Text: e.Text, From: e.From, Left: e.Left}); err != nil {
				g.log.Warn("the audit log misses an event", "event", e.What, "by", e.By, "err", err)
			}
		},
	})
}

// note puts something into the audit log that changes nothing of what the model shows.
func (g *Gateway) note(ctx context.Context, by string, n model.Noted) error {
	const patience = 5 * time.Second
	act, err := model.Record(by, n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = g.Record(ctx, act)
	return err
}

// noteLetter puts what is done with a dead letter into the audit log, before it is done: what can't be noted isn't done.
func (g *Gateway) noteLetter(ctx context.Context, by, what, target, id string) error {
	if err := g.note(ctx, by, model.Noted{What: what, Text: target + " " + id}); err != nil {
		return fmt.Errorf("%w: the audit log can't take it, so it isn't done: %w", model.ErrUnavailable, err)
	}
	return nil
}

// The acts with dead letters, as the audit log names them.
const (
	retriedLetter = "retry_dead_letter"
	droppedLetter = "drop_dead_letter"
	testedTarget  = "test_target"
)
