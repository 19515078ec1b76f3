package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/config"
)

// TestShip sends ten entries to servers of all kinds, and looks at the requests that each got and at what became
// of the entries: d(elivered), x for rejected, r(etry).
func TestShip(t *testing.T) {
	bad := func(keys ...string) func(items []string) ([]Result, error) {
		return func(items []string) ([]Result, error) {
			for _, k := range keys {
				if slices.Contains(items, k) {
					return nil, fmt.Errorf("400: %w", errSplit)
				}
			}
			return repeat(Delivered, len(items)), nil
		}
	}
	tests := []struct {
		name, requests, results string
		cfg                     config.Batch
		server                  func(items []string) ([]Result, error)
	}{
		{"all is well", "1-4 5-8 9-10", "dddddddddd", config.Batch{Entries: 4}, bad()},
		{"cut by size", "1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8 9-9 10-10", "dddddddddd", config.Batch{Entries: 100, Size: 300}, bad()},
		{"one is poison", "1-8 1-4 1-2 3-4 3-3 4-4 5-8 9-10", "ddxddddddd", config.Batch{Entries: 8}, bad("3")},
		{"all are", "1-4 1-2 1-1 2-2 3-4 3-3 4-4", "xxxx", config.Batch{Entries: 4}, bad("1", "2", "3", "4")},
		{"the line breaks", "1-4 5-8", "ddddrrrrrr", config.Batch{Entries: 4}, func(items []string) ([]Result, error) {
			if items[0] == "5" {
				return nil, errors.New("reset")
			}
			return repeat(Delivered, len(items)), nil
		}},
		{"the line breaks while it is split", "1-4 1-2", "rrrrrrrrrr", config.Batch{Entries: 4}, func(items []string) ([]Result, error) {
			if len(items) == 4 {
				return nil, errSplit
			}
			return nil, errors.New("reset")
		}},
		{"part is taken, the rest is too large", "1-4 3-4 3-3 4-4", "dddd", config.Batch{Entries: 4}, func(items []string) ([]Result, error) {
			switch len(items) {
			case 4:
				return []Result{Delivered, Delivered}, fmt.Errorf("413: %w", errSplit)
			case 2:
				return nil, errSplit
			}
			return repeat(Delivered, 1), nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newShipper(config.Target{Format: "cef", Batch: tt.cfg}, 2)
			if err != nil {
				t.Fatal(err)
			}
			var requests []string
			results, err := s.ship(t.Context(), numbered(1, len(tt.results)), func(_ context.Context, items []item) ([]Result, error) {
				var keys []string
				for _, i := range items {
					keys = append(keys, strings.TrimLeft(string(i.entry.Key), "k0"))
				}
				requests = append(requests, keys[0]+"-"+keys[len(keys)-1])
				return tt.server(keys)
			})
			if diff := cmp.Diff(tt.requests, strings.Join(requests, " ")); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			var got strings.Builder
			for _, r := range results {
				got.WriteByte("rdx"[r])
			}
			if diff := cmp.Diff(tt.results, got.String()); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if failed := strings.Trim(got.String(), "d") != ""; failed && err == nil {
				t.Error("nobody says why")
			}
		})
	}
}
