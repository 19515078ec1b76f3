package portal_test

import (
	"testing"
	"time"

	"github.com/sluice-siem/sluice/test/browser"
)

// TestShots goes where the pictures of the README are taken, and takes them where SLUICE_SHOTS says into which directory:
//
//	SLUICE_SHOTS=$PWD/gateway/portal/shots go test ./test/portal -run Shots
func TestShots(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.send(morning(time.Now())...)
	b := browser.Open(t)
	p := g.login(b)
	g.await(p, 5)
	for _, shot := range []struct{ name, path, scheme, ready string }{
		{"stream.webp", "/", "light", "document.querySelector('#tail table')"},
		{"alert.webp", "/alerts", "light", "!document.querySelector('#drawer').hidden"},
		{"user.webp", "/users?filter=user+contains+mara", "dark", "location.pathname.startsWith('/users/')"},
	} {
		p.Size(1180, 740)
		p.Prefer(shot.scheme)
		p.Go(g.url + shot.path)
		switch shot.path {
		case "/":
		case "/alerts":
			p.Keys("j", "j", "j", "j", "j", "Enter")
		default:
			p.Keys("j", "Enter")
		}
		p.Wait(shot.ready)
		p.Shot(shot.name)
		p.Shot(shot.name[:len(shot.name)-len(".webp")])
	}
}
