package gateway

import (
	"context"
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

	"github.com/sluice-siem/sluice/gateway/input"
)

// watch serves /metrics, /healthz, /healthz/services and /readyz. A service that is silent turns only
// /healthz/services, which is for people and monitors: nothing here is mended by a restart, and what
// asks the other two restarts what answers no.
type watch struct {
	log       *slog.Logger
	listeners []net.Listener
	handler   http.Handler
	ready     atomic.Bool // the inputs listen and the state is open
}

func newWatch(g *Gateway, reg prometheus.Registerer, gatherer prometheus.Gatherer) (*watch, error) {
	w := &watch{log: g.log}
	reg.MustRegister(newState(g), newBooks(g))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { say(rw, http.StatusOK, "alive") })
	mux.HandleFunc("GET /healthz/services", func(rw http.ResponseWriter, _ *http.Request) { g.saySilent(rw) })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		if w.ready.Load() {
			say(rw, http.StatusOK, "ready")
			return
		}
		say(rw, http.StatusServiceUnavailable, "not ready: the inputs don't listen")
	})
	w.handler = mux
	for key, address := range map[string]string{"http.listen": g.config.HTTP.Listen, "metrics.listen": g.config.Metrics.Listen} {
		if address == "" {
			continue
		}
		l, err := net.Listen(input.Family("tcp", address), address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		w.listeners = append(w.listeners, l)
		g.closers = append(g.closers, func() error { _ = l.Close(); return nil }) // the server has closed it already
	}
	return w, nil
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
	server := &http.Server{
		Handler: w.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	var group errgroup.Group
	for _, l := range w.listeners {
		group.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve http: %w", err)
			}
			return nil
		})
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(stop), group.Wait())
}
