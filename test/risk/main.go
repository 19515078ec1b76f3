// Command risk measures the investigation priority: it makes up organisations with attacks (test/threats), replays
// their messages as sluice replay --scores does, and says how high the compromised stand.
//
//	go run ./test/risk -people 400 -seeds 101-104
//
// Beside it stand what one could do without: the sum of the alerts' severities, and their number.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/gateway"
	"github.com/sluice-siem/sluice/test/threats"
)

func main() {
	if err := command(); err != nil {
		log.New(os.Stderr, "risk: ", 0).Fatal(err)
	}
}

func command() error {
	people := flag.Int("people", 400, "how many people an organisation has")
	days := flag.Int("days", 28, "how many days are made up")
	quiet := flag.Int("quiet", 14, "how many of them, at the beginning, are without attacks")
	seeds := flag.String("seeds", "101-104", "the first and the last seed")
	verbose := flag.Bool("v", false, "print where each of the compromised stands each day, and who stands above")
	write := flag.String("write", "", "write the organisation of the first seed into this directory, and end")
	flag.Parse()
	var first, last uint64
	if _, err := fmt.Sscanf(strings.Replace(*seeds, "-", " ", 1), "%d %d", &first, &last); err != nil {
		return errors.New("-seeds: want two numbers such as 101-104")
	}
	size := threats.Size{People: *people, Days: *days, Quiet: *quiet}
	return run(first, last, size, *write, *verbose)
}

func run(first, last uint64, size threats.Size, write string, verbose bool) error {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	if write != "" {
		return writeAll(threats.New(first, size, start), write)
	}
	var sum measure
	for seed := first; seed <= last; seed++ {
		m, err := measureOne(threats.New(seed, size, start), verbose)
		if err != nil {
			return err
		}
		fmt.Printf("seed %d\n%s", seed, m.table())
		sum.add(m)
	}
	fmt.Printf("all seeds\n%s%s", sum.table(), sum.kinds())
	return nil
}

func measureOne(o *threats.Organisation, verbose bool) (measure, error) {
	dir, err := os.MkdirTemp("", "risk")
	if err != nil {
		return measure{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := writeFiles(o, dir); err != nil {
		return measure{}, err
	}
	c := config.Default()
	c.Organisation.DirectoryFile, c.Organisation.NetworksFile = filepath.Join(dir, "people.csv"), filepath.Join(dir, "networks.csv")
	r, err := gateway.NewReplay(c)
	if err != nil {
		return measure{}, err
	}
	defer func() { _ = r.Close() }() // in memory
	j := newJudge(o, verbose)
	if err := r.Score(c, j.score); err != nil {
		return measure{}, err
	}
	began := time.Now()
	for _, l := range o.Lines {
		if err := r.Message([]byte(l.Text), l.Sent); err != nil {
			return measure{}, err
		}
	}
	verdicts, err := r.Finish()
	if err != nil {
		return measure{}, err
	}
	j.baselines(verdicts)
	m := j.measure()
	m.lines, m.took = len(o.Lines), time.Since(began)
	return m, nil
}

func writeFiles(o *threats.Organisation, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte(o.Directory()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "networks.csv"), []byte(o.Networks()), 0o600)
}

// writeAll writes what sluice replay --scores takes, and the truth.
func writeAll(o *threats.Organisation, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	var log, arrivals, truth strings.Builder
	for _, l := range o.Lines {
		log.WriteString(l.Text + "\n")
		arrivals.WriteString(l.Sent.UTC().Format(time.RFC3339Nano) + "\n")
	}
	for _, i := range o.Incidents {
		fmt.Fprintf(&truth, "{\"user\":%q,\"kind\":%q,\"first\":%q,\"last\":%q}\n", i.User, i.Kind,
			o.Start.AddDate(0, 0, i.First).Format(time.DateOnly), o.Start.AddDate(0, 0, i.Last).Format(time.DateOnly))
	}
	for name, text := range map[string]string{
		"messages.log": log.String(), "messages.arrivals": arrivals.String(), "incidents.jsonl": truth.String(),
		"sluice.yaml": "organisation:\n  directory_file: people.csv\n  networks_file: networks.csv\ninputs: [{name: tcp, listen: tcp://127.0.0.1:5514}]\ntargets: [{name: out, type: stdout}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return writeFiles(o, dir)
}
