package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-siem/sluice/gateway"
)

// TestStoppedBeforeItHasStarted: a gateway that is told to stop while it starts has done as it was told.
func TestStoppedBeforeItHasStarted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gw.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `data_dir: %s
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
targets: [{name: out, type: stdout, format: json}]
http: {listen: "127.0.0.1:0"}
`, filepath.Join(dir, "data")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, log bytes.Buffer
	if err := run(ctx, []string{"run", "--config", path}, strings.NewReader(""), &out, &log); err != nil {
		t.Errorf("run() = %v\n%s", err, log.String())
	}
	if !strings.Contains(log.String(), "stopped before it had started") {
		t.Errorf("it started:\n%s", log.String())
	}
}

// TestAStartThatHangsIsStopped: a signal ends a start that hangs where no context reaches.
func TestAStartThatHangsIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		released := make(chan struct{})
		defer close(released)
		time.AfterFunc(time.Minute, stop)
		begun := time.Now()
		_, err := openOrStop(ctx, func() (*gateway.Gateway, error) {
			<-released
			return nil, nil
		})
		if took := time.Since(begun); !errors.Is(err, context.Canceled) || took != time.Minute+patience {
			t.Errorf("after %s: %v", took, err)
		}
	})
}
