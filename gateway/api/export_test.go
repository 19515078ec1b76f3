package api_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/api"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
)

// TestExportHasNoFormulas: what a sender wrote is text to every spreadsheet.
func TestExportHasNoFormulas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	messages := []string{"=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠SUM(1)"}
	for _, m := range messages {
		e := w.activity("formula@hill.example", "EVENT_CATEGORY_LOGIN")
		e.Notification.Message = m
		w.append(e)
	}
	answer := w.ask(http.MethodGet, api.Prefix+"/activities/export?format=csv&filter=user+%3D+formula@hill.example", "")
	rows, err := csv.NewReader(answer.Body).ReadAll()
	if err != nil || len(rows) != len(messages)+1 {
		t.Fatalf("%d rows, want %d: %v", len(rows), len(messages)+1, err)
	}
	last := len(rows[0]) - 1
	if rows[0][last] != "message" {
		t.Fatalf("the last column is %q", rows[0][last])
	}
	for _, row := range rows[1:] {
		if !strings.HasPrefix(row[last], "'") {
			t.Errorf("%q begins as a formula does", row[last])
		}
	}
}

// TestAlertsAsATable: a CSV has of an alert what a report asks for: who said it and where it is looked at, and how it was closed.
func TestAlertsAsATable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	decided := policy.Decision{Action: dedup.Forward, ManagedIn: formats.DefenderForIdentity, Reason: policy.ManagedHere}
	more := w.alert("a1", formats.CloudAppSecurity, "c1", "anna@corp.example", decided, dedup.Update)
	more.Notification.Addresses, more.Notification.URL = []string{"192.0.2.7", "192.0.2.8"}, "https://portal.example/c1"
	w.append(more)
	w.do(model.Close{Alerts: []string{"a1"}, In: formats.DefenderForIdentity, Why: "benign"})
	rows, err := csv.NewReader(w.ask(http.MethodGet, api.Prefix+"/alerts/export?format=csv", "").Body).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, want 2: %v", len(rows), err)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{
		"ips": "192.0.2.7; 192.0.2.8", "notification_ids": "m1; c1", "urls": "https://portal.example/c1", "closed_by": "otto", "classification": "benign",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, got["closed"]); err != nil {
		t.Error(err)
	}
}
