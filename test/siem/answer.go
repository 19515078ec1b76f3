package siem

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
)

// HTTPAnswer is what a server over HTTP says to one request instead of what it would say.
type HTTPAnswer struct {
	Status int
	Header map[string]string
	Body   string
	Take   bool // does what is asked all the same
	Torn   bool // promises more of a body than it sends
	Slow   bool // sends the body and never ends it, until the client has gone
	Early  bool // breaks the connection before it has read the request; nothing else counts
}

func (a HTTPAnswer) write(w http.ResponseWriter, r *http.Request) {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	if a.Torn {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)+100))
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
	if !a.Torn && !a.Slow {
		return
	}
	_ = http.NewResponseController(w).Flush()
	if a.Slow {
		<-r.Context().Done()
	}
	breakOff(w)
}

// discarded is where a reply goes that nobody is to see.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header       { return d.header }
func (discarded) Write(b []byte) (int, error) { return len(b), nil }
func (discarded) WriteHeader(int)             {}

// breakOff ends the connection at once, with a reset where it can.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2, of which the stream is reset
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = raw.Close()
}
