package target

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// signature signs requests with HMAC-SHA256, over the body before it is compressed.
//
//   - standard: Standard Webhooks 1.0, webhook-timestamp and webhook-signature over id.timestamp.body, a
//     signature for each secret;
//   - timestamped: X-Sluice-Signature, t=seconds and a v1=signature over timestamp.body for each secret;
//   - github: X-Hub-Signature-256 over the body. It has room for one signature, so only the first secret
//     counts: the receiver must know the new one before it becomes the first here.
type signature struct {
	style string
	keys  [][]byte
}

// newSignature fails for a secret that says it is base64 and isn't. For the style standard, a secret that
// begins with whsec_ is base64 behind that; every other secret is taken as it is written.
func newSignature(style string, secrets []config.Secret) (signature, error) {
	s := signature{style: style}
	for i, secret := range secrets {
		key := []byte(secret)
		if text, ok := strings.CutPrefix(string(secret), "whsec_"); ok && style == "standard" {
			var err error
			if key, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil || len(key) == 0 {
				return s, fmt.Errorf("secrets[%d]: what follows whsec_ is not base64", i)
			}
		}
		s.keys = append(s.keys, key)
	}
	switch style {
	case "", "none":
		s.style = "none"
	case "standard", "timestamped", "github":
		if len(s.keys) == 0 {
			return s, errors.New("secrets: there are none to sign with")
		}
	default:
		return s, fmt.Errorf("signature %q: want none, standard, timestamped or github", style)
	}
	return s, nil
}

// set sets the headers of a request that is sent now.
func (s *signature) set(h http.Header, id string, now time.Time, body []byte) {
	seconds := strconv.FormatInt(now.Unix(), 10)
	switch s.style {
	case "standard":
		h.Set("Webhook-Timestamp", seconds)
		var all []string
		for _, key := range s.keys {
			all = append(all, "v1,"+base64.StdEncoding.EncodeToString(sum(key, id+"."+seconds+".", body)))
		}
		h.Set("Webhook-Signature", strings.Join(all, " "))
	case "timestamped":
		all := []string{"t=" + seconds}
		for _, key := range s.keys {
			all = append(all, "v1="+hex.EncodeToString(sum(key, seconds+".", body)))
		}
		h.Set("X-Sluice-Signature", strings.Join(all, ","))
	case "github":
		h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum(s.keys[0], "", body)))
	}
}

func sum(key []byte, prefix string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(prefix))
	mac.Write(body)
	return mac.Sum(nil)
}
