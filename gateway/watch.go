package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/input"
	"github.com/sluice-siem/sluice/gateway/problem"
)

// watch serves /metrics, /healthz, /healthz/services, /readyz, the API and the portal. A service that is silent turns only
// /healthz/services, which is for people and monitors: nothing here is mended by a restart, and what
// asks the other two restarts what answers no.
type watch struct {
	log       *slog.Logger
	listeners []net.Listener
	handlers  []http.Handler // of each
	urls      []string       // of each
	ready     atomic.Bool    // the inputs listen
}

func newWatch(g *Gateway, reg prometheus.Registerer, gatherer prometheus.Gatherer) (*watch, error) {
	w := &watch{log: g.log}
	reg.MustRegister(newState(g), newBooks(g))
	mux := http.NewServeMux()
	lost := &leftOut{log: g.log, telling: rate.Sometimes{Interval: time.Minute}, times: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_metrics_left_out_total", Help: "Times that /metrics was answered without what couldn't be read; the log says what and why.",
	})}
	reg.MustRegister(lost.times)
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, ErrorLog: lost}))
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { say(rw, http.StatusOK, "alive") })
	mux.HandleFunc("GET /healthz/services", func(rw http.ResponseWriter, _ *http.Request) { g.saySilent(rw) })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		if why := g.unready(); why != "" {
			say(rw, http.StatusServiceUnavailable, "not ready: "+why)
			return
		}
		say(rw, http.StatusOK, "ready")
	})
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		status, detail := problem.Unserved(mux, rw, r)
		problem.Write(rw, status, problem.New(status, detail))
	})
	whole := http.NewServeMux()
	for _, path := range []string{"/metrics", "/healthz", "/healthz/services", "/readyz"} {
		whole.Handle(path, mux)
	}
	site := newPortal(g)
	whole.Handle("/", site)
	whole.Handle("/login", site)
	whole.Handle(api.Prefix+"/", g.door.Guard(g.show))
	whole.Handle("/login/", g.door.Handler())
	whole.Handle("/logout", g.door.Handler())
	for _, place := range []struct {
		key, address string
		handler      http.Handler
	}{{"http.listen", g.config.HTTP.Listen, whole}, {"metrics.listen", g.config.Metrics.Listen, mux}} {
		if place.address == "" {
			continue
		}
		l, err := net.Listen(input.Family("tcp", place.address), place.address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place.key, input.Forbidden(err))
		}
		g.closers = append(g.closers, func() error { _ = l.Close(); return nil }) // the server has closed it already
		scheme := "http://"
		if files := g.config.HTTP.TLS; place.key == "http.listen" && files.Cert != "" {
			settings, err := input.HTTPS(files, g.log)
			if err != nil {
				return nil, fmt.Errorf("http.tls: %w", err)
			}
			l, scheme = tls.NewListener(l, settings), "https://"
		}
		w.listeners, w.handlers, w.urls = append(w.listeners, l), append(w.handlers, place.handler), append(w.urls, scheme+l.Addr().String())
	}
	return w, nil
}

// leftOut counts and tells what /metrics lacks. One number that can't be read hides no other.
type leftOut struct {
	log     *slog.Logger
	telling rate.Sometimes // who asks does it every few seconds, and may be anybody
	times   prometheus.Counter
}

// Println implements [promhttp.Logger].
func (l *leftOut) Println(v ...any) {
	l.times.Inc()
	l.telling.Do(func() { l.log.Warn("some metrics can't be read", "err", strings.TrimSpace(fmt.Sprintln(v...))) })
}

// unready says why nothing is taken; "" where it is.
func (g *Gateway) unready() string {
	switch {
	case !g.watch.ready.Load():
		return "the inputs don't listen"
	case !g.stream.Opened():
		return "the stream can't be opened anew after a write that failed, and senders wait; the log says why"
	}
	if _, _, err := g.pipeline.space.least(); err != nil {
		return err.Error() + ", and senders wait"
	}
	return ""
}

// saySilent answers 503 where a service is silent, and says which and since when.
func (g *Gateway) saySilent(w http.ResponseWriter) {
	status, lines := http.StatusOK, make([]string, 0, len(g.watched))
	for _, name := range g.watched {
		r := g.index.Rhythm(name)
		last := "nothing was ever received"
		if !r.Last.IsZero() {
			last = "last notification " + r.Last.UTC().Format(time.RFC3339)
		}
		word := "not silent"
		if !r.Silent.IsZero() {
			status, word = http.StatusServiceUnavailable, "silent"
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %s", name, word, last))
	}
	say(w, status, strings.Join(lines, "\n"))
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // who asked may be gone
}

// run serves until ctx ends.
func (w *watch) run(ctx context.Context) error {
	var group errgroup.Group
	servers := make([]*http.Server, len(w.listeners))
	for i, l := range w.listeners {
		servers[i] = &http.Server{
			Handler: w.handlers[i], ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
			MaxHeaderBytes: 128 << 10, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // a filter may be 64 KiB
		}
		group.Go(func() error {
			if err := servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve http: %w", err)
			}
			return nil
		})
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var err error
	for _, s := range servers {
		err = errors.Join(err, s.Shutdown(stop))
	}
	return errors.Join(err, group.Wait())
}
