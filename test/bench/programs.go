package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is one row.
type program struct {
	name     string // for -only
	title    string
	needs    string  // the program to be found; empty where it is ours
	install  string  // what to do where it is missing
	share    float64 // of -events that it gets, so that it takes about a second; more than one: as often
	sluice   bool    // it suppresses twins
	arranged func(e environment) (path string, args []string, err error)
}

// environment is what a program is started in.
type environment struct {
	dir    string // empty, its own
	listen string
	target string
	found  string // path of what it needs
	sluice string
}

// Names of the rows that others are compared with.
const (
	bare         = "relay"
	synced       = "synced"
	withoutModel = "forwarding"
	unsynced     = "process"
	diskQueue    = "rsyslog"
	syncedQueue  = "rsyslog-synced"
	reliable     = "syslog-ng"
	bothHint     = ".ci/install DIRECTORY, and DIRECTORY/bin on the PATH (Debian's two can't both be installed)"
	maxSendLimit = 8 // connections
)

func programs() []program {
	return []program{
		{name: bare, title: "bare relay, copies lines", share: 5, arranged: arrangeRelay},
		{name: "parse", title: "relay, and syslog + CEF + normalise", share: 1, arranged: arrangeParse},
		{name: synced, title: "**Sluice**, synced (the default)", share: 1, sluice: true, arranged: arrangeSluice("stream: {durability: synced}")},
		{
			name: withoutModel, title: "**Sluice**, synced, `model: {enabled: false}`", share: 1, sluice: true,
			arranged: arrangeSluice("stream: {durability: synced}\nmodel: {enabled: false}"),
		},
		{name: unsynced, title: "**Sluice**, `durability: process`", share: 1, sluice: true, arranged: arrangeSluice("stream: {durability: process}")},
		{
			name: diskQueue, title: "rsyslog, disk queue", needs: "rsyslogd", install: "apt-get install rsyslog, or " + bothHint,
			share: .5, arranged: arrangeRsyslog(""),
		},
		{
			name: syncedQueue, title: "rsyslog, disk queue, synced, checkpoint 1", needs: "rsyslogd",
			install: "apt-get install rsyslog, or " + bothHint, share: 1. / 40,
			arranged: arrangeRsyslog(` queue.syncQueueFiles="on" queue.checkpointInterval="1"`),
		},
		{
			name: reliable, title: "syslog-ng, disk-buffer reliable", needs: "syslog-ng",
			install: "apt-get install syslog-ng-core, or " + bothHint, share: .5, arranged: arrangeSyslogNG,
		},
	}
}

func names() []string {
	var out []string
	for _, p := range programs() {
		out = append(out, p.name)
	}
	return out
}

// find looks for a program where daemons are, and where .ci/run puts them.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	dirs := []string{"/usr/sbin", "/sbin", "/usr/local/sbin"}
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "sluice-ci", "bin"))
	}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// buildSluice makes the binary, unless SLUICE names one.
func buildSluice(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("SLUICE"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "sluice")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/sluice-siem/sluice/cmd/sluice").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return path, nil
}

func arrangeRelay(e environment) (string, []string, error) {
	self, err := os.Executable()
	return self, []string{relayCommand, "-listen", e.listen, "-target", e.target}, err
}

func arrangeParse(e environment) (string, []string, error) {
	self, args, err := arrangeRelay(e)
	return self, append(args, "-parse"), err
}

func arrangeSluice(more string) func(environment) (string, []string, error) {
	return arrangeSluiceAt(more, "127.0.0.1:0")
}

// arrangeSluiceAt has it show its metrics at an address.
func arrangeSluiceAt(more, web string) func(environment) (string, []string, error) {
	return func(e environment) (string, []string, error) {
		text := fmt.Sprintf(`data_dir: data
inputs: [{name: tcp, type: syslog, listen: "tcp://%s"}]
targets: [{name: siem, type: syslog, address: "tcp://%s", format: cef, framing: newline}]
%s
http: {listen: "%s"}
`, e.listen, e.target, more, web)
		return e.sluice, []string{"run", "--config", "sluice.yaml"}, configure(e, "sluice.yaml", text)
	}
}

// arrangeRsyslog keeps everything in a queue of files, with what else is said of it. A line that begins
// with a year must not be taken for a count.
func arrangeRsyslog(queue string) func(environment) (string, []string, error) {
	return func(e environment) (string, []string, error) {
		in, inPort, err := net.SplitHostPort(e.listen)
		out, outPort, err2 := net.SplitHostPort(e.target)
		text := fmt.Sprintf(`global(workDirectory="%s" maxMessageSize="64k")
module(load="imtcp" maxSessions="64")
template(name="whole" type="string" string="%%rawmsg%%\n")
input(type="imtcp" address="%s" port="%s" supportOctetCountedFraming="off" ruleset="relay")
ruleset(name="relay" queue.type="disk" queue.filename="bench" queue.maxDiskSpace="8g"%s) {
  action(type="omfwd" protocol="tcp" target="%s" port="%s" template="whole")
}
`, e.dir, in, inPort, queue, out, outPort)
		err = errors.Join(err, err2, configure(e, "rsyslog.conf", text))
		return e.found, []string{"-n", "-f", filepath.Join(e.dir, "rsyslog.conf"), "-i", filepath.Join(e.dir, "pid")}, err
	}
}

// arrangeSyslogNG has windows as wide as its manual advises for such a rate, and parses nothing.
func arrangeSyslogNG(e environment) (string, []string, error) {
	in, inPort, err := net.SplitHostPort(e.listen)
	out, outPort, err2 := net.SplitHostPort(e.target)
	text := fmt.Sprintf(`@version: %s
options { keep-hostname(yes); use-dns(no); stats-freq(0); log-msg-size(65536); };
source s { network(ip("%s") port(%s) transport("tcp") flags(no-parse) max-connections(%d) log-iw-size(80000) log-fetch-limit(1000)); };
destination d {
  network("%s" port(%s) transport("tcp") template("$MSG\n")
    disk-buffer(reliable(yes) disk-buf-size(4294967296) mem-buf-size(67108864) dir("%s")));
};
log { source(s); destination(d); flags(flow-control); };
`, syslogNGVersion(e.found), in, inPort, 4*maxSendLimit, out, outPort, e.dir)
	at := func(name string) string { return filepath.Join(e.dir, name) }
	return e.found, []string{
		"-F", "--no-caps", "-f", at("syslog-ng.conf"), "-R", at("persist"), "-c", at("ctl"), "-p", at("pid"),
	}, errors.Join(err, err2, configure(e, "syslog-ng.conf", text))
}

// syslogNGVersion is the version of the configuration that the installed one knows.
func syslogNGVersion(path string) string {
	const oldest = "3.38"
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return oldest
	}
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(line, "Config version:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return oldest
}

func configure(e environment, name, text string) error {
	return os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o600)
}
