package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-siem/sluice/gateway/access"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/deadletter"
	"github.com/sluice-siem/sluice/gateway/problem"
	"github.com/sluice-siem/sluice/gateway/render"
)

// control answers the operator's commands on a Unix socket in data_dir that only the gateway's own user
// may open: what it changes is asked for from this machine.
type control struct {
	g        *Gateway
	listener net.Listener
	log      *slog.Logger
}

// ControlSocket is where the gateway with that data_dir listens for commands.
func ControlSocket(dataDir string) string { return filepath.Join(dataDir, "control.sock") }

// DialControl connects to the socket of a running gateway.
func DialControl(ctx context.Context, dataDir string) (net.Conn, error) {
	path, done, err := reachable(ControlSocket(dataDir))
	if err != nil {
		return nil, err
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, "unix", path)
}

// reachable gives a name for the socket that is short enough for the kernel, which takes 107 bytes.
func reachable(path string) (short string, done func(), err error) {
	if len(path) < 108 {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil
}

func newControl(g *Gateway) (*control, error) {
	path := ControlSocket(g.config.DataDir)
	// One that is left from a crash; the stream's lock has shown that nobody listens on it.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	short, done, err := reachable(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer done()
	l, err := net.Listen("unix", short)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	return &control{g: g, listener: l, log: g.log}, nil
}

// serve is what the socket answers.
func (c *control) serve() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /reconcile", c.reconcile)
	mux.HandleFunc("GET /deadletters", c.list)
	mux.HandleFunc("GET /deadletters/{target}/{id}", c.show)
	mux.HandleFunc("POST /deadletters/{target}/{id}/retry", c.change(retriedLetter, (*delivery).retry))
	mux.HandleFunc("DELETE /deadletters/{target}/{id}", c.change(droppedLetter, (*delivery).giveUp))
	mux.Handle(api.Prefix+"/", api.As(access.Local(), c.g.show)) // who opens the socket is the gateway's own user
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		status, detail := problem.Unserved(mux, w, r)
		problem.Write(w, status, problem.New(status, detail))
	})
	return mux
}

// run answers until ctx ends.
func (c *control) run(ctx context.Context) error {
	server := &http.Server{
		Handler: c.serve(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	var serving errgroup.Group
	serving.Go(func() error {
		if err := server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve control socket: %w", err)
		}
		return nil
	})
	<-ctx.Done() // which ends what the handlers do
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	return errors.Join(server.Shutdown(stop), serving.Wait())
}

func (c *control) reconcile(w http.ResponseWriter, r *http.Request) {
	report, err := c.g.reconcile(r.Context())
	reply(w, report, err)
}

// LetterLine is one dead letter of a list.
type LetterLine struct {
	Target   string    `json:"target"`
	ID       string    `json:"id"`
	Key      string    `json:"event_key"`
	Service  string    `json:"service"`
	Title    string    `json:"title"`
	Refused  time.Time `json:"refused"`
	Attempts int       `json:"attempts"`
	Reply    string    `json:"reply"`
	Damaged  string    `json:"damaged,omitempty"` // why the file can't be read
}

func (c *control) list(w http.ResponseWriter, r *http.Request) {
	lines := []LetterLine{}
	if want := r.FormValue("target"); want != "" {
		if _, err := c.delivery(want); err != nil {
			reply(w, nil, err)
			return
		}
	}
	for _, d := range c.g.deliveries {
		if want := r.FormValue("target"); want != "" && want != d.name {
			continue
		}
		ids, err := c.g.letters.List(d.name)
		if err != nil {
			reply(w, nil, err)
			return
		}
		for _, id := range ids {
			l, err := c.g.letters.Read(d.name, id)
			if err != nil {
				lines = append(lines, LetterLine{Target: d.name, ID: id, Damaged: err.Error()})
				continue
			}
			lines = append(lines, letterLine(d.name, &l))
		}
	}
	reply(w, lines, nil)
}

func letterLine(target string, l *deadletter.Letter) LetterLine {
	n := &l.Entry.Notification
	return LetterLine{target, l.ID(), string(l.Entry.Key), string(n.Service), n.Title, l.Refused, l.Attempts, l.Reply, ""}
}

// delivery finds the target that a request names.
func (c *control) delivery(name string) (*delivery, error) {
	for _, d := range c.g.deliveries {
		if d.name == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no target %q: %w", name, deadletter.ErrNotFound)
}

func (c *control) show(w http.ResponseWriter, r *http.Request) {
	d, err := c.delivery(r.PathValue("target"))
	if err != nil {
		reply(w, nil, err)
		return
	}
	l, err := c.g.letters.Read(d.name, r.PathValue("id"))
	if err != nil {
		reply(w, nil, err)
		return
	}
	event, err := render.AppendJSON(nil, &l.Entry)
	document, format := c.document(d.name, &l)
	reply(w, struct {
		LetterLine
		Event    json.RawMessage `json:"event"`
		Format   string          `json:"format"`
		Document string          `json:"document"` // as the target gets it, before a limit shortens it and without what it travels in
	}{letterLine(d.name, &l), event, format, document}, err)
}

// document renders a letter in the format that its target has now. Why it can't be rendered is the letter's reply.
func (c *control) document(name string, l *deadletter.Letter) (document, format string) {
	for i := range c.g.config.Targets {
		if t := &c.g.config.Targets[i]; t.Name == name {
			format = t.Format
		}
	}
	r, err := render.For(format)
	if err != nil {
		return "", format
	}
	text, _ := r(nil, &l.Entry, 0)
	return string(text), format
}

// change does something with the dead letter that a request names.
func (c *control) change(what string, do func(*delivery, context.Context, *deadletter.Letter) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, err := c.delivery(r.PathValue("target"))
		if err == nil {
			err = c.g.noteLetter(r.Context(), access.Local().By(), what, d.name, r.PathValue("id"))
		}
		if err != nil {
			reply(w, nil, err)
			return
		}
		l, err := d.letter(r.Context(), r.PathValue("id"), func(ctx context.Context, l *deadletter.Letter) error { return do(d, ctx, l) })
		reply(w, letterLine(d.name, &l), err)
	}
}

// reply writes a value or, as a problem document (RFC 9457), an error.
func reply(w http.ResponseWriter, value any, err error) {
	status := http.StatusInternalServerError
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value) // who asked may be gone
		return
	case errors.Is(err, deadletter.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, errRefused):
		status = http.StatusBadGateway
	}
	problem.Write(w, status, problem.New(status, err.Error()))
}
