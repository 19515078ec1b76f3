package gateway

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway/model"
)

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(time.Minute); !so(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("never: " + what)
		}
	}
}

// TestAModelThatHangs holds nothing back: while somebody else has its file locked everything is delivered and acts are
// recorded, and it has all of it once it is let go.
func TestAModelThatHangs(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) { c.Model.Enabled = true })
	g := startTimed(t, c, 0)
	g.send(ofMDI(1))
	behind := func() uint64 {
		lag, err := g.show.model.Load().Lag(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return lag.Entries
	}
	eventually(t, "the model has the first alert", func() bool { return g.show.model.Load() != nil && behind() == 0 })

	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.DataDir, "model", "model.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	lock := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	lock("BEGIN IMMEDIATE")
	for i := range 20 {
		g.send(ofMDI(i + 2))
	}
	eventually(t, "everything is delivered", func() bool { return g.waiting(t.Context())["file"] == 0 })
	act, err := model.Record("ida", model.SaveQuery{Query: model.SavedQuery{Name: "open", Of: "alerts", Filter: "status = open"}})
	if err != nil {
		t.Fatal(err)
	}
	at, err := g.Record(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	if n := behind(); n < 20 {
		t.Errorf("the model is %d entries behind: it wasn't locked", n)
	}
	lock("ROLLBACK")
	m := g.show.model.Load()
	if err := m.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	queries, err := m.Queries(t.Context(), "ida")
	if err != nil {
		t.Fatal(err)
	}
	if alerts, err := m.State(t.Context()); err != nil || alerts.Alerts != 21 || len(queries) == 0 {
		t.Errorf("the model has %d alerts and %s: %v", alerts.Alerts, fmt.Sprint(queries), err)
	}
}

// TestADamagedModelIsMadeAnew: one whose file turns out to be damaged while the gateway runs is told of and made anew.
func TestADamagedModelIsMadeAnew(t *testing.T) {
	t.Parallel()
	c := frontDoor(t, func(c *config.Config) { c.Model.Enabled = true })
	has := func(g *timed, alerts int64) func() bool {
		return func() bool {
			m := g.show.model.Load()
			if m == nil {
				return false
			}
			s, err := m.State(t.Context())
			return err == nil && s.Alerts == alerts
		}
	}
	g := startTimed(t, c, 0)
	g.send(ofMDI(1))
	eventually(t, "the model has the first alert", has(g, 1))
	g.stop()
	path := filepath.Join(c.DataDir, "model", "model.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var page, size int64
	err = db.QueryRowContext(t.Context(), "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'alerts'").Scan(&page, &size)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[(page-1)*size:], bytes.Repeat([]byte{0xff}, int(size)))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	g = startTimed(t, c, 0)
	g.send(ofMDI(2))
	eventually(t, "the damage is counted", func() bool { return testutil.ToFloat64(g.pipeline.metrics.modelDamaged) == 1 })
	eventually(t, "the model has both alerts", has(g, 2))
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Errorf("the damaged file isn't kept: %v", err)
	}
}
