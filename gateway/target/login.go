package target

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/sluice-siem/sluice/config"
)

// basic is the Authorization header of RFC 7617.
func basic(username string, password config.Secret) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+string(password)))
}

// checkHeader finds what can't stand in a header, such as the line end of a file that a secret was read from.
// It doesn't show the value.
func checkHeader(name, value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("%s: its value has a line end or another control character", name)
	}
	return nil
}

// hush takes secrets out of what a server said, as they are and as a form or a page has them: some tell a client
// what it has sent.
func (a answer) hush(secrets []string) answer {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), html.EscapeString(s)} {
			a.body = bytes.ReplaceAll(a.body, []byte(form), []byte("(secret)"))
		}
	}
	return a
}

// withoutURL leaves of the URL in an error of web only the server: whoever knows a webhook's may send to it.
func withoutURL(err error) error {
	pause := PauseOf(err)
	if u, ok := errors.AsType[*url.Error](err); ok {
		server := "the server"
		if at, bad := url.Parse(u.URL); bad == nil {
			server = (&url.URL{Scheme: at.Scheme, Host: at.Host}).String()
		}
		err = fmt.Errorf("%s to %s: %w", strings.ToUpper(u.Op), server, u.Err)
	}
	if pause.Blocked {
		return blocked(err)
	}
	return err
}
