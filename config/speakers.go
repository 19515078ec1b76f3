package config

import (
	"fmt"
	"net/netip"
	"slices"
)

func (in *Input) checkSpeakers(p *problems, path string) {
	if in.Speakers != nil && len(in.Speakers) == 0 {
		p.add(path+".speakers", "found an empty list, by which nobody could say anything; leave the key out where everybody may")
	}
	for i := range in.Speakers {
		if p.full {
			return
		}
		in.checkSpeaker(p, fmt.Sprintf("%s.speakers[%d]", path, i), in.Speakers[i])
	}
}

func (in *Input) checkSpeaker(p *problems, path string, s Speaker) {
	if len(s.Services) == 0 {
		p.add(path+".services", "found none, expected %s", alternatives(Services{}.Order()))
	}
	for i, name := range s.Services {
		oneOf(p, p.element(path+".services", i), name, Services{}.Order()...)
	}
	checkNotEmpty(p, path+".networks", s.Networks)
	for i, text := range s.Networks {
		key := p.element(path+".networks", i)
		switch network, err := netip.ParsePrefix(text); {
		case err != nil:
			p.add(key, "found %s, expected a network such as 10.1.0.0/16 or 2001:db8::/32", quote(text))
		case network != network.Masked():
			p.add(key, "found %s, which is an address in a network; expected %s", quote(text), network.Masked())
		case network.Addr().Is4In6():
			p.add(key, "found %s, expected an IPv4 network as such: peers over IPv4 are known by that address", quote(text))
		}
	}
	in.checkSpeakersTokens(p, path+".tokens", s.Tokens)
	checkNotEmpty(p, path+".certificates", s.Certificates)
	for i, pattern := range s.Certificates {
		if pattern == "" {
			p.add(p.element(path+".certificates", i), "found nothing, expected a name in a certificate, which may hold *")
		}
	}
	if len(s.Certificates) > 0 && in.TLS.ClientAuth == "off" && p.known(path) {
		p.add(path+".certificates", "found with client_auth: off, by which nobody shows a certificate; expected listen: tls:// "+
			"with client_auth: optional or required")
	}
}

func (in *Input) checkSpeakersTokens(p *problems, path string, tokens []string) {
	if tokens != nil && in.Type != "http" && p.known(path) {
		p.add(path, "found in an input of type %s, which knows no tokens; expected with type: http only", in.Type)
		return
	}
	checkNotEmpty(p, path, tokens)
	names := make([]string, len(in.Tokens))
	for i, t := range in.Tokens {
		names[i] = t.Name
	}
	for i, name := range tokens {
		if !slices.Contains(names, name) {
			p.add(p.element(path, i), "found %s, expected the name of one of the input's tokens", quote(name))
		}
	}
}

// checkNotEmpty finds a list that is written and empty: it could be meant for everybody and for nobody.
func checkNotEmpty(p *problems, key string, list []string) {
	if list != nil && len(list) == 0 {
		p.add(key, "found an empty list, expected at least one; leave the key out where any fits")
	}
}
