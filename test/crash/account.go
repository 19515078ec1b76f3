package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// account compares what was sent, what the stream has, and what the targets got. The problems are what
// nothing explains.
func (h *harness) account(ctx context.Context) ([]string, error) {
	if err := poll(ctx, h.siem.idle); err != nil {
		return nil, err
	}
	r, problems, err := readRecord(ctx, h.dir)
	if err != nil {
		return nil, err
	}
	h.print("stream: %d entries in %d batches; %d releases were parted by a crash from what caused them", len(r.lines), r.end, r.cuts)
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		h.print("  %7d %s", r.kinds[kind], kind)
	}
	for what, n := range h.said {
		if strings.Contains(what, "the cursor is damaged") {
			problems = append(problems, fmt.Sprintf("gateway: %d of %s", n, what))
		}
	}
	problems = append(problems, h.receipts(r)...)
	problems = append(problems, h.prefixes(r)...)
	problems = append(problems, h.alerts(r)...)
	problems = append(problems, h.siem.account(r, h.print)...)
	more, err := h.file(r)
	return append(problems, more...), err
}

// idle is nil when every connection has been read to its end.
func (s *siem) idle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 {
		return errors.New("the SIEM still reads")
	}
	return nil
}

// bounds are how often a message may be in the stream.
type bounds struct{ least, most int }

// receipts holds what the stream has against what the senders know.
func (h *harness) receipts(r *record) (problems []string) {
	want := map[string]map[digest]bounds{"relp": {}, "push": {}, "tcp": {}}
	add := func(input string, items []*item, owed func(*item) bounds) (sent, acked int) {
		for _, i := range items {
			b, w := owed(i), want[input][i.is]
			want[input][i.is] = bounds{w.least + b.least, w.most + b.most}
			sent += min(i.tries, 1)
			if i.acked {
				acked++
			} else if input != "tcp" {
				problems = append(problems, fmt.Sprintf("%s: message %x was never acknowledged", input, i.is))
			}
		}
		return sent, acked
	}
	total, resent := map[string][2]int{}, 0
	note := func(input string, sent, acked int) {
		t := total[input]
		total[input] = [2]int{t[0] + sent, t[1] + acked}
	}
	for _, s := range h.relp {
		sent, acked := add("relp", s.all, func(i *item) bounds { resent += i.tries - 1; return bounds{1, i.tries} })
		note("relp", sent, acked)
	}
	put := 0
	for _, s := range h.push {
		sent, acked := add("push", s.all, func(*item) bounds { return bounds{1, 1} })
		note("push", sent, acked)
		put += s.put
	}
	for _, s := range h.plain {
		for _, c := range s.conns {
			sent, acked := add("tcp", c.items, func(*item) bounds { return bounds{0, 1} })
			note("tcp", sent, acked)
		}
	}
	have := map[string]map[digest]int{"relp": {}, "push": {}, "tcp": {}}
	entries := map[string]int{}
	for i := range r.lines {
		if l := &r.lines[i]; l.kind == stream.Notification && l.input != "" { // which our own have not
			have[l.input][l.is]++
			entries[l.input]++
		}
	}
	h.print("received:")
	h.print("  relp %7d sent, %7d acknowledged, %7d in the stream; sent again %d times", total["relp"][0], total["relp"][1], entries["relp"], resent)
	h.print("  http %7d sent, %7d acknowledged, %7d in the stream; requests repeated %d times", total["push"][0], total["push"][1], entries["push"], put)
	h.print("  tcp  %7d sent, %19s %7d in the stream; lost in flight %d", total["tcp"][0], "", entries["tcp"], total["tcp"][0]-entries["tcp"])
	return append(problems, compare(want, have)...)
}

func compare(want map[string]map[digest]bounds, have map[string]map[digest]int) (problems []string) {
	for input, all := range want {
		for is, b := range all {
			if n := have[input][is]; n < b.least || n > b.most {
				problems = append(problems, fmt.Sprintf("%s: message %x is in the stream %d times, want %d to %d", input, is, n, b.least, b.most))
			}
		}
		for is := range have[input] {
			if _, ok := all[is]; !ok {
				problems = append(problems, fmt.Sprintf("%s: message %x is in the stream and was never sent", input, is))
			}
		}
	}
	return problems
}

// alerts wants each alert that the stream has forwarded by one of its services, once.
func (h *harness) alerts(r *record) (problems []string) {
	known, first := map[int]bool{}, map[int]map[string]policy.Reason{}
	for i := range r.lines {
		l := &r.lines[i]
		n, ok := h.traffic.alerts[l.is]
		if !ok || l.kind == stream.Link {
			continue
		}
		known[n] = true
		if l.action == dedup.Forward && l.reason != policy.IsUpdate {
			if first[n] == nil {
				first[n] = map[string]policy.Reason{}
			}
			first[n][l.key] = l.reason
		}
	}
	for n := range known {
		if len(first[n]) != 1 {
			problems = append(problems, fmt.Sprintf("alert %d is forwarded as %d events: %v", n, len(first[n]), first[n]))
		}
	}
	h.print("alerts: %d, each forwarded by one of its services", len(known))
	return problems
}
