package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/config"
)

func TestSecretsHideThemselves(t *testing.T) {
	token := config.Token{Name: "collector", Token: "hush-hush-hush-hush"}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", token, token, token, token.Token, token.Token)
	if err := json.NewEncoder(&out).Encode(token); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("config", "token", token.Token, "all", token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("config", "token", token.Token, "all", token)
	if strings.Contains(out.String(), "hush") {
		t.Errorf("the secret is seen:\n%s", out.String())
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("no secret is shown as %q", got)
	}
}
