package test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTenThousandConnections lets ten thousand senders connect and be silent, half of them in the middle of a
// message and some behind a frame that announces two gigabytes. An honest one that is half closed is served
// meanwhile, and what the silent ones take is bounded.
func TestTenThousandConnections(t *testing.T) {
	const crowd = 10_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < crowd+1000 {
		t.Skipf("%d open files are needed, there may be %d: %v", crowd+1000, files.Cur, err)
	}
	s := newStorm(t)
	config := fmt.Sprintf(`data_dir: data
inputs:
  - {name: tcp, type: syslog, listen: "tcp://127.0.0.1:0", max_connections: %[1]d}
  - {name: relp, type: relp, listen: "tcp://127.0.0.1:0", max_connections: %[1]d}
targets: [{name: json, type: file, path: stream.jsonl, format: json}]
http: {listen: "127.0.0.1:0"}
`, crowd)
	if err := os.WriteFile(filepath.Join(s.dir, "gw.yaml"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	d := s.start(t)
	starts := map[string][][]byte{
		"tcp":  {nil, []byte("<36>1 - - - - - - half a mess"), []byte("2147483647 <36>1 "), []byte("99999999999 ")},
		"relp": {nil, []byte("1 open 85 relp_version=0\n"), []byte("1 open 2147483647 relp"), []byte("1 syslog 9999999999 ")},
	}
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			_ = c.Close()
		}
	})
	for i := range crowd {
		input := [...]string{"tcp", "relp"}[i%2]
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(d.inputs[input], "tcp://"), deadline)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conns = append(conns, c)
		if _, err := c.Write(starts[input][i/2%4]); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if err := poll(func() error {
		text, err := get("http://" + d.http + "/metrics")
		for input := range starts {
			if want := fmt.Sprintf("sluice_input_connections{input=%q} %d\n", input, crowd/2); err == nil && !strings.Contains(text, want) {
				err = fmt.Errorf("want %sin\n%s", want, sluiceLines(text))
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := (sender{framing: "octet"}).send(d.inputs["tcp"], [][]byte{[]byte(defenderAlert(1))}); err != nil {
		t.Fatal(err)
	}
	awaitIDs(t, s, defenderID(1))
	peak := memory(t, d)
	t.Logf("%d connections, most memory %d MiB", len(conns), peak>>20)
	most := int64(512 << 20)
	if raceEnabled {
		most *= 6
	}
	if peak > most {
		t.Errorf("most memory %d MiB, want at most %d MiB", peak>>20, most>>20)
	}
}
