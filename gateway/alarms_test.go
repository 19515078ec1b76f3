package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/formats"
)

// TestShippedAlarmsNameWhatThereIs: every metric of the alarms and of the dashboard is one of a running
// gateway's that has had a notification.
func TestShippedAlarmsNameWhatThereIs(t *testing.T) {
	have := scraped(t)
	name := regexp.MustCompile(`sluice_[a-z_]+`)
	for _, file := range []string{"prometheus/sluice.rules.yml", "prometheus/sluice.rules.test.yml", "grafana/sluice.json"} {
		data, err := os.ReadFile("../config/" + file)
		if err != nil {
			t.Fatal(err)
		}
		named := name.FindAllString(string(data), -1)
		if len(named) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, metric := range named {
			if !have[strings.TrimSuffix(metric, "_bucket")] {
				t.Errorf("%s names %s, which a running gateway doesn't have", file, metric)
			}
		}
	}
}

// scraped are the metrics of a gateway that has delivered one alert and looked at its equations.
func scraped(t *testing.T) map[string]bool {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	files := certificate(t, lender)
	c := with(func(c *config.Config) {
		c.DataDir = t.TempDir()
		for i := range c.Inputs {
			c.Inputs[i].Listen, _, _ = strings.Cut(c.Inputs[i].Listen, "://")
			c.Inputs[i].Listen += "://127.0.0.1:0"
		}
		secure := c.Inputs[0]
		secure.Name, secure.Listen, secure.TLS = "secure", "tls://127.0.0.1:0", config.TLS{Cert: files.Cert, Key: files.Key}
		c.Inputs = append(c.Inputs, secure)
		c.HTTP.Listen, c.Model.Enabled = "", true
	})
	reg := prometheus.NewRegistry()
	g, err := New(t.Context(), Options{
		Config: c, Log: slog.New(slog.DiscardHandler), Metrics: reg, Gatherer: reg, Stdout: io.Discard, Hostname: "h",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	_, address, _ := strings.Cut(g.Listeners()[0].Address, "://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(conn, ofMDI(1)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; <-tick.C {
		lag, err := g.deliveries[0].reader.Lag(ctx, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		done = lag.Entries == 0 && g.show.model.Load() != nil && !g.index.Rhythm(formats.DefenderForIdentity).Last.IsZero()
	}
	if err := g.balanceOnce(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range families {
		have[f.GetName()] = true
	}
	return have
}
