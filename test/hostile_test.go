package test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hostileConfig has the limits of the defaults, a strict SIEM and a file.
const hostileConfig = `data_dir: data
inputs: [{name: tcp, type: syslog, listen: "tcp://127.0.0.1:0"}]
targets:
  - {name: siem, type: syslog, address: "tcp://%s", format: cef}
  - {name: json, type: file, path: stream.jsonl, format: json}
http: {listen: "127.0.0.1:0"}
`

// TestHostileSenders lets everybody misbehave at once. An honest sender is served meanwhile, the
// receiver gets nothing malformed, and memory stays within what the limits of the configuration allow.
func TestHostileSenders(t *testing.T) {
	t.Parallel()
	receiver := newSIEM("tcp", nil)
	if err := poll(receiver.up); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(receiver.close)
	s := newStorm(t)
	if err := os.WriteFile(filepath.Join(s.dir, "gw.yaml"), fmt.Appendf(nil, hostileConfig, receiver.address), 0o666); err != nil {
		t.Fatal(err)
	}
	d := s.start(t)
	address := strings.TrimPrefix(d.inputs["tcp"], "tcp://")
	honest := dial(t, address)
	slow := dial(t, address)
	trickled := make(chan error, 1)
	go func() { trickled <- trickle(slow, defenderAlert(1)+"\n") }()

	lines := hostileLines()
	if err := (sender{framing: "mixed", chunk: 4093}).send(d.inputs["tcp"], lines); err != nil {
		t.Fatal(err)
	}
	crowd := openCrowd(t, address, 2000)
	if _, err := honest.Write([]byte(defenderAlert(2) + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(goodbye(honest), <-trickled); err != nil {
		t.Fatal(err)
	}
	ids := awaitIDs(t, s, defenderID(1), defenderID(2))
	peak := memory(t, d)
	t.Logf("%d connections, most memory %d MiB", len(crowd), peak>>20)
	most := int64(512 << 20)
	if raceEnabled {
		most *= 6
	}
	if peak > most {
		t.Errorf("most memory %d MiB, want at most %d MiB", peak>>20, most>>20)
	}
	for _, c := range crowd {
		_ = c.Close()
	}
	// Whoever comes after the crowd is served. What the crowd left behind is half a message each.
	if err := poll(func() error {
		return sender{framing: "newline"}.send(d.inputs["tcp"], [][]byte{[]byte(defenderAlert(3))})
	}); err != nil {
		t.Fatal(err)
	}
	awaitIDs(t, s, defenderID(3), defenderID(4))
	s.finish(t, d)
	if p := receiver.wrong(); len(p) > 0 {
		t.Errorf("the SIEM was sent something malformed:\n%s", strings.Join(p, "\n"))
	}
	if ids[forgedID] {
		t.Error("a message within a message came out as a message of its own")
	}
}

const forgedID = "0badcafe-ffff-4aaa-8bbb-ffffffffffff"

// hostileLines are messages with which somebody tries something; the last one is honest.
func hostileLines() [][]byte {
	forged := "CEF:0|Microsoft|Azure ATP|1|PassTheTicketSecurityAlert|Forged|10|externalId=2018 cs1Label=url cs1=https://x/securityAlert/" + forgedID
	within := strings.Replace(defenderAlert(10), "msg=", `msg=\n<36>1 - - - - - - `+forged+` \r\n`+forged+"\x1b[2J\u2028\u0085 ", 1)
	pipes := strings.Replace(defenderAlert(11), "Suspected identity theft", `Suspected \| |`+forged, 1)
	nuls := strings.ReplaceAll(defenderAlert(12), " ", "\x00 \x00")
	labels := strings.Replace(defenderAlert(13), "app=", "sluiceEventKey=mine cs5Label=sluiceAlertId cs5=mine sluiceReason=x app=", 1)
	keys := strings.Replace(activity(14), "msg=", "msg="+strings.Repeat("k=v a\\=b = == ", 2000), 1)
	many := defenderAlert(15) + " " + strings.Repeat("x=1 ", 15000)
	return [][]byte{
		[]byte("<36>1 - - - - - - " + strings.Repeat("A", 10<<20)), // octet-counted
		bytes.Repeat([]byte("B"), 10<<20),                          // without any line end for long
		[]byte(within), []byte(pipes), []byte(nuls), []byte(labels), []byte(keys), []byte(many),
		[]byte("<36>" + strings.Repeat("[", 60000)), []byte("{" + strings.Repeat(`"a":{`, 10000)),
		[]byte(`{"@odata.type":"#microsoft.graph.riskDetection","id":"` + strings.Repeat("9", 60000) + `"}`),
		[]byte("CEF:0" + strings.Repeat("|", 60000)), []byte("\xef\xbb\xbf<36>\xff\xfe\xc0\xaf no text"),
		[]byte(defenderAlert(4)),
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * deadline)); err != nil {
		t.Fatal(err)
	}
	return c
}

// trickle sends a byte at a time.
func trickle(c net.Conn, text string) error {
	for i := range len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return err
		}
	}
	return goodbye(c)
}

// openCrowd opens connections that send half a long message and then nothing. Those that are too many
// are closed by the gateway, which is no error.
func openCrowd(t *testing.T, address string, n int) []net.Conn {
	t.Helper()
	half := []byte("60000 <36>1 - - - - - - " + strings.Repeat("C", 50000))
	var crowd []net.Conn
	for range n {
		c := dial(t, address)
		crowd = append(crowd, c)
		_, _ = c.Write(half) // it may have been refused
	}
	return crowd
}

// awaitIDs waits until the file has these notifications, and gives all that it has.
func awaitIDs(t *testing.T, s *storm, want ...string) map[string]bool {
	t.Helper()
	var ids map[string]bool
	if err := poll(func() error {
		events, err := readEvents(filepath.Join(s.dir, "stream.jsonl"))
		if err != nil {
			return err // a line may be half written
		}
		ids = map[string]bool{}
		for _, e := range events {
			ids[e.NotificationID] = true
		}
		for _, id := range want {
			if !ids[id] {
				return fmt.Errorf("%s has not come out", id)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

// memory is the most that the gateway had resident, in bytes.
func memory(t *testing.T, d *daemon) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM in /proc")
	return 0
}
