package target

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// cookies keeps what a load balancer gives to know the server again by which it has sent us. Unlike a plain
// [cookiejar.Jar] it stays small whatever a server gives. One goroutine at a time uses it.
type cookies struct {
	jar  *cookiejar.Jar
	have map[string]bool // by domain, path and name
}

// Limits of a jar.
const (
	mostCookies   = 32
	longestCookie = 4 << 10
)

func newCookies() *cookies {
	c := &cookies{}
	c.empty()
	return c
}

func (c *cookies) empty() {
	c.jar, _ = cookiejar.New(nil) // never fails
	c.have = map[string]bool{}
}

// SetCookies implements http.CookieJar. When there are too many, those from before are forgotten.
func (c *cookies) SetCookies(u *url.URL, given []*http.Cookie) {
	for _, one := range given[:min(len(given), mostCookies)] {
		if len(one.Name)+len(one.Value)+len(one.Path)+len(one.Domain) > longestCookie {
			continue
		}
		id := one.Domain + ";" + one.Path + ";" + one.Name
		if !c.have[id] && len(c.have) == mostCookies {
			c.empty()
		}
		c.have[id] = true
		c.jar.SetCookies(u, []*http.Cookie{one})
	}
}

// Cookies implements http.CookieJar.
func (c *cookies) Cookies(u *url.URL) []*http.Cookie { return c.jar.Cookies(u) }
