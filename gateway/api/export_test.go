package api_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-siem/sluice/gateway/api"
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
