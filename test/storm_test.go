package test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKillInMidStream kills the gateway with SIGKILL again and again while several senders send. Over TCP
// a sender can't know what was taken, so each begins anew after each crash; the gateway is to know what
// comes again. In the end everything is there, and what is there twice is what a crash between writing
// and moving the cursor explains: the same event, sent again.
func TestKillInMidStream(t *testing.T) {
	t.Parallel()
	const each, crashes = 1500, 6
	s := newStorm(t)
	var kinds [3][][]byte
	for i := range each {
		kinds[0] = append(kinds[0], []byte(defenderAlert(i)))
		kinds[1] = append(kinds[1], []byte(activity(i)))
		kinds[2] = append(kinds[2], []byte(cloudAlert(i)))
	}
	for crash := range crashes {
		d := s.start(t)
		done := make(chan error, len(kinds))
		for _, lines := range kinds {
			go func() { done <- sender{framing: "octet", chunk: 8 << 10}.send(d.inputs["tcp"], lines) }()
		}
		// The crash comes when a random part of the file is written, so in the middle of it all.
		want := s.size() + 1 + rand.Int64N(400<<10)
		if err := poll(func() error {
			if len(done) == len(kinds) || s.size() >= want {
				return nil
			}
			return errors.New("too early to crash")
		}); err != nil {
			t.Fatal(err)
		}
		d.kill()
		for range kinds {
			t.Logf("crash %d ends a sender: %v", crash, <-done) // no error may be a crash too
		}
		t.Logf("crash %d at %d bytes", crash, s.size())
	}
	d := s.start(t)
	for _, lines := range kinds {
		if err := (sender{framing: "mixed", chunk: 8 << 10}).send(d.inputs["tcp"], lines); err != nil {
			t.Fatal(err)
		}
	}
	s.finish(t, d)
	s.compare(t, each, crashes+1)
}

// storm is a gateway that is crashed, and the file that it writes.
type storm struct{ dir string }

func newStorm(t *testing.T) *storm {
	s := &storm{t.TempDir()}
	config := `data_dir: data
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
policy: {hold: 2s}
targets: [{name: json, type: file, path: stream.jsonl, format: json}]
http: {listen: "127.0.0.1:0"}
`
	if err := os.WriteFile(filepath.Join(s.dir, "gw.yaml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *storm) start(t *testing.T) *daemon {
	t.Helper()
	path := func(name string) string { return filepath.Join(s.dir, name) }
	d, err := startDaemon(s.dir, "gw.yaml", path("out"), path("log"), os.Environ(), nil)
	if d != nil {
		t.Cleanup(d.kill)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *storm) size() int64 {
	info, err := os.Stat(filepath.Join(s.dir, "stream.jsonl"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// finish waits until nothing is held and everything is delivered, and stops the gateway.
func (s *storm) finish(t *testing.T, d *daemon) {
	t.Helper()
	if err := poll(func() error {
		text, err := get("http://" + d.http + "/metrics")
		if err == nil && (!strings.Contains(text, "sluice_held_notifications 0\n") ||
			!strings.Contains(text, `sluice_target_lag_entries{target="json"} 0`+"\n")) {
			err = fmt.Errorf("not drained:\n%s", sluiceLines(text))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if status, err := d.end(); err != nil || status != 0 {
		t.Fatalf("stop: status %d, %v", status, err)
	}
}

// compare looks for every alert and every activity. An alert is forwarded by one of its services.
func (s *storm) compare(t *testing.T, each, starts int) {
	t.Helper()
	events, torn, err := readTorn(filepath.Join(s.dir, "stream.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(torn) >= starts {
		t.Errorf("%d starts left %d lines cut short, such as %.200q", starts, len(torn), torn[0])
	}
	keys, ids, again := map[string]string{}, map[string]string{}, 0
	for _, e := range events {
		id := e.Service + " " + e.NotificationID
		if e.Kind == "link" {
			id = "link " + e.Alert
		}
		if _, ok := keys[e.Key]; ok {
			again++
		}
		if key, ok := ids[id]; ok && key != e.Key {
			t.Errorf("%s went out as two events, %s and %s", id, key, e.Key)
		}
		keys[e.Key], ids[id] = id, e.Key
	}
	alerts := 0
	for i := range each {
		if ids["cloud_app_security "+activityID(i)] == "" {
			t.Errorf("activity %d is lost", i)
		}
		defender, cloud := ids["defender_for_identity "+defenderID(i)] != "", ids["cloud_app_security "+cloudID(i)] != ""
		if !defender && !cloud {
			t.Errorf("alert %d is lost", i)
		}
		if defender && cloud {
			t.Errorf("alert %d went out by both services", i)
		}
		alerts++
	}
	// A batch of a target is at most 1024 entries; that much may be written and not noted when a crash comes.
	if most := starts * 1024; again > most {
		t.Errorf("%d events came again, at most %d are explained by %d crashes", again, most, starts)
	}
	t.Logf("%d alerts, %d lines, %d of them again", alerts, len(events), again)
}

// TestStopSignals sends SIGTERM twice: the first drains, which a target that doesn't answer prolongs; the
// second ends the process at once.
func TestStopSignals(t *testing.T) {
	t.Parallel()
	dead := newSIEM("tcp", nil)
	if err := poll(dead.up); err != nil {
		t.Fatal(err)
	}
	dead.close()
	s := newStorm(t)
	config := `data_dir: data
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
targets: [{name: dead, type: syslog, address: "tcp://` + dead.address + `"}]
http: {listen: "127.0.0.1:0"}
`
	if err := os.WriteFile(filepath.Join(s.dir, "gw.yaml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	d := s.start(t)
	if err := (sender{framing: "newline"}).send(d.inputs["tcp"], [][]byte{[]byte(defenderAlert(1))}); err != nil {
		t.Fatal(err)
	}
	terminate(t, d)
	if err := poll(func() error {
		if !strings.Contains(d.text(), "targets get what is left") {
			return errors.New("it doesn't say that it stops")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	terminate(t, d)
	<-d.done
	if status := d.cmd.ProcessState.ExitCode(); status != 1 {
		t.Errorf("exit status %d after the second signal, want 1: it had not finished", status)
	}

	d = s.start(t)
	if status, err := d.end(); err != nil || status != 0 {
		t.Errorf("one signal: status %d, %v; want 0\n%s", status, err, d.text())
	}
}
