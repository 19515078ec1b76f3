package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"syscall"

	"github.com/sluice-siem/sluice/config/directory"
	"github.com/sluice-siem/sluice/config/networks"
)

// checkFiles reads the files that the configuration names: certificates, networks, and the directory's header. A mistake
// further down in the directory must keep nobody from starting.
func (c *Config) checkFiles(p *problems) {
	if file := c.Organisation.DirectoryFile; file != "" {
		if err := directory.CheckHeader(file); err != nil {
			p.add("organisation.directory_file", "found %s: %s%s", quote(file), err, insteadOf(err))
		}
	}
	if file := c.Organisation.NetworksFile; file != "" {
		if _, err := networks.Load(file); err != nil {
			p.add("organisation.networks_file", "found %s: %s%s", quote(file), err, insteadOf(err))
		}
	}
	if file := c.Organisation.GeoIPFile; file != "" {
		if _, err := networks.LoadCountries(file); err != nil {
			p.add("organisation.geoip_file", "found %s: %s; expected a database of countries in mmdb form", quote(file), err)
		}
	}
	for i, in := range c.Inputs {
		path := fmt.Sprintf("inputs[%d].tls", i)
		in.TLS.checkPair(p, path)
		checkAuthority(p, path+".client_ca", in.TLS.ClientCA)
	}
	TLS{Cert: c.HTTP.TLS.Cert, Key: c.HTTP.TLS.Key}.checkPair(p, "http.tls")
	for i, t := range c.Targets {
		path := fmt.Sprintf("targets[%d].tls", i)
		t.TLS.checkPair(p, path)
		checkAuthority(p, path+".ca", t.TLS.CA)
		readPEM(p, fmt.Sprintf("targets[%d].credentials", i), t.Credentials)
	}
}

// checkPair reads a certificate and its key, and says which of them is the trouble where that is known.
func (t TLS) checkPair(p *problems, path string) {
	cert, ok := readPEM(p, path+".cert", t.Cert)
	key, keyOK := readPEM(p, path+".key", t.Key)
	if !ok || !keyOK {
		return
	}
	if _, err := tls.X509KeyPair([]byte(cert), []byte(key)); err != nil {
		p.add(path+".cert", "found %s and %s: %s; expected the certificate first, then those above it, and its key without a password, in PEM", quote(t.Cert), quote(t.Key), err)
	}
}

func checkAuthority(p *problems, path, file string) {
	pem, ok := readPEM(p, path, file)
	if ok && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		p.add(path, "found no certificate in %s, expected PEM", quote(file))
	}
}

func readPEM(p *problems, key, file string) (string, bool) {
	if file == "" {
		return "", false
	}
	text, err := readSmall(file)
	if err != nil {
		p.add(key, "found %s: %s; expected %s", quote(file), err, readable)
	}
	return text, err == nil
}

// insteadOf says what was expected where the operating system says what is wrong; who reads the file says it for itself.
func insteadOf(err error) string {
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return "; expected " + readable
	}
	return ""
}
