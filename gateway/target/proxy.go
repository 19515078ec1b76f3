package target

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// via is the way to a server whose protocol isn't HTTP: straight, or through a proxy.
type via struct {
	proxy *url.URL       // nil: straight
	roots *x509.CertPool // of a proxy with https://; nil: the system's
}

// newVia reads the configuration's proxy: socks5://, http:// or https://, or none.
func newVia(through string) (via, error) {
	if through == "" || through == "none" {
		return via{}, nil
	}
	u, err := url.Parse(through)
	if err != nil {
		return via{}, fmt.Errorf("proxy: %w", err)
	}
	if u.Scheme != "socks5" && u.Scheme != "http" && u.Scheme != "https" {
		return via{}, errors.New("proxy: want socks5://, http:// or https://")
	}
	return via{proxy: u}, nil
}

// dial connects to host:port, which the proxy looks up where there is one. What it gives is the socket, or TLS
// over it to a proxy with https://, so that the kernel can be asked about it.
func (v via) dial(ctx context.Context, network, address string) (net.Conn, error) {
	straight := &net.Dialer{Timeout: 30 * time.Second}
	if v.proxy == nil {
		return straight.DialContext(ctx, network, address)
	}
	conn, err := v.through(ctx, straight, network, address)
	if err != nil {
		return nil, fmt.Errorf("through the proxy %s: %w", v.proxy.Host, err)
	}
	return conn, nil
}

func (v via) through(ctx context.Context, straight *net.Dialer, network, address string) (net.Conn, error) {
	conn, err := straight.DialContext(ctx, "tcp", v.proxy.Host)
	if err != nil {
		return nil, err
	}
	tunnel := conn
	if v.proxy.Scheme == "socks5" {
		err = v.socks(ctx, conn, network, address)
	} else {
		tunnel, err = v.connect(ctx, conn, address)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return tunnel, nil
}

// socks speaks SOCKS 5 (RFC 1928, with the login of RFC 1929).
func (v via) socks(ctx context.Context, conn net.Conn, network, address string) error {
	var login *proxy.Auth
	if u := v.proxy.User; u != nil {
		password, _ := u.Password()
		login = &proxy.Auth{User: u.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", v.proxy.Host, login, nil)
	if err != nil {
		return err
	}
	over, ok := d.(interface {
		DialWithConn(ctx context.Context, conn net.Conn, network, address string) (net.Addr, error)
	})
	if !ok {
		return errors.New("the dialer takes no connection")
	}
	_, err = over.DialWithConn(ctx, conn, network, address)
	return err
}

// connect has an HTTP proxy make a tunnel (RFC 9110 section 9.3.6).
func (v via) connect(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	tunnel, err := v.tunnel(ctx, conn, address)
	stop()
	if ctx.Err() != nil { // that is why it can't be read
		return nil, fmt.Errorf("it doesn't answer: %w", ctx.Err())
	}
	return tunnel, err
}

func (v via) tunnel(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	if v.proxy.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: v.proxy.Hostname(), RootCAs: v.roots, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{"User-Agent": {agent()}}}
	if u := v.proxy.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	// A server that speaks first is read behind the answer, so no more is read here than that.
	reader := bufio.NewReaderSize(oneByte{conn}, 4<<10)
	a, err := http.ReadResponse(reader, r)
	if err != nil {
		return nil, err
	}
	_ = a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", plain(a.Status))
	}
	return conn, nil
}

// oneByte reads one byte at a time.
type oneByte struct{ net.Conn }

// Read reads one byte.
func (o oneByte) Read(b []byte) (int, error) { return o.Conn.Read(b[:min(len(b), 1)]) }
