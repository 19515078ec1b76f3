package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLabels(t *testing.T) {
	none, err := LabelsFor("cef")
	if err != nil {
		t.Fatal(err)
	}
	labels, err := LabelsFor("cef_original")
	if err != nil {
		t.Fatal(err)
	}
	e := paired(received([]byte("<36>1 2031-05-06T07:08:08Z s CEF 1 X 0|Microsoft|Azure ATP|2.1|EncryptionDowngradeSecurityAlert|T|10|" +
		"start=2031-05-06T07:00:00.1234567Z suser=ida msg=x externalId=2009 cs1Label=url cs1=https://brewery.example/securityAlert/Ö\r\n1")))
	if got := none.Of(&e); got != nil || none.Bytes() != 0 {
		t.Errorf("cef has labels: %v", got)
	}
	want := []Label{
		{"event_key", "e5f60718293a4b5c6d7e8f9011223344"},
		{"alert_id", "00112233445566778899aabbccddeeff"},
		{"service", "defender_for_identity"},
		{"notification_id", "___1"},
		{"url", "https://brewery.example/securityAlert/___1"},
		{"severity", "high"},
		{"techniques", "T1558.001"},
		{"managed_in", "defender_for_identity"},
		{"reason", "managed_here"},
		{"twin", "cloud_app_security:73623b1cd4e5f60718293a4b"},
		{"twin_url", "https://brewery.portal.example/#/alerts/73623b1cd4e5f60718293a4b"},
	}
	e.Notification.ID, e.Notification.URL = "Ö\r\n1", "https://brewery.example/securityAlert/Ö\r\n1"
	if diff := cmp.Diff(want, labels.Of(&e)); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	e.Notification.ID, e.Notification.URL, e.Twins[0].URL = strings.Repeat("x", 200), strings.Repeat("y", 201), strings.Repeat("z", 201)
	size := 0
	for _, l := range labels.Of(&e) {
		if l.Name == "url" || l.Name == "twin_url" {
			t.Errorf("%s is there, in part", l.Name)
		}
		size += len("Sluice-") + len(l.Name) + len(`="" `) + len(l.Value)
	}
	if size > labels.Bytes() {
		t.Errorf("they take %d bytes, want at most %d", size, labels.Bytes())
	}
}
