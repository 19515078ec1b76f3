package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// maxBodyLimit is as much as an input holds of all bodies together.
const maxBodyLimit Size = 64 << 20

// minToken is 128 bits in base64, roughly: less can be tried out.
const minToken = 16

// checkHTTP looks at the keys that only an input of type http has.
func (in *Input) checkHTTP(p *problems, path string) {
	if in.Type != "http" {
		if in.Tokens != nil && p.known(path+".type") {
			p.add(path+".tokens", "found in an input of type %s, expected with type: http only", in.Type)
		}
		if in.MaxBody != 0 && p.known(path+".type") {
			p.add(path+".max_body", "found in an input of type %s, expected with type: http only", in.Type)
		}
		return
	}
	if in.MaxBody < in.MaxMessage || in.MaxBody > maxBodyLimit {
		p.add(path+".max_body", "found %s, expected max_message, which is %s, to %s", in.MaxBody, in.MaxMessage, maxBodyLimit)
	}
	in.checkTokens(p, path)
	if len(in.Tokens) == 0 && !loopback(in.Listen) && in.TLS.ClientAuth != "required" && p.known(path+".listen") {
		p.add(path+".tokens", "found none beside listen: %s, by which anybody could send alerts; expected a token for each sender, "+
			"tls:// with client_auth: required, or a loopback address", quote(in.Listen))
	}
}

func (in *Input) checkTokens(p *problems, path string) {
	list := path + ".tokens"
	unique(p, list, len(in.Tokens), func(i int) string { return in.Tokens[i].Name })
	for i, t := range in.Tokens {
		key := p.element(list, i) + ".token"
		if len(t.Token) < minToken {
			p.add(key, "found %d characters, expected at least %d that nobody can guess", len(t.Token), minToken)
		} else {
			t.Token.checkHeader(p, key)
		}
		if j := slices.IndexFunc(in.Tokens[:i], func(o Token) bool { return o.Token == t.Token }); j >= 0 && t.Token != "" {
			p.add(key, "found the token of tokens[%d] too, expected one of its own: it tells who speaks", j)
		}
	}
}

// loopback says whether only this machine reaches an address.
func loopback(listen string) bool {
	_, hostport, _ := strings.Cut(listen, "://")
	host, _, _ := net.SplitHostPort(hostport)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// checkHeader finds what stands in no token of an HTTP header.
func (s Secret) checkHeader(p *problems, key string) {
	if strings.ContainsFunc(string(s), func(r rune) bool { return r <= ' ' || r > '~' }) {
		p.add(key, "found blanks or letters beyond ASCII, which no HTTP header holds; expected a token without")
	}
}
