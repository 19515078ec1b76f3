package catalog

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-siem/sluice/formats"
)

func TestAttack(t *testing.T) {
	shown := func(typ, message string) formats.Notification {
		n := mcas(formats.DefenderForIdentity, typ, "")
		n.Message = message
		return n
	}
	activity := shown("EVENT_CATEGORY_LOGIN", "MITRE Technique used Brute Force (T1110)")
	activity.Kind = formats.Activity
	tests := []struct {
		name                string
		n                   formats.Notification
		detection           string
		tactics, techniques string
	}{
		{"by its ID and class", mdi("2006", "DirectoryServicesReplicationSecurityAlert", ""), "", "TA0006 Credential Access, TA0003 Persistence", "T1003.006 DCSync of OS Credential Dumping"},
		{"by the type of its alert", mdi("", "TeapotSecurityAlert", ""), "2028", "TA0005 Defense Evasion", "T1207 Rogue Domain Controller"},
		{"an ID that was replaced", mdi("", "", ""), "2011", "TA0003 Persistence, TA0008 Lateral Movement", "T1210 Exploitation of Remote Services, T1556.001 Domain Controller Authentication of Modify Authentication Process"},
		{"of several types", mdi("", "EncryptionDowngradeSecurityAlert", "Encryption downgrade activity"), "", "", ""},
		{"documented without a technique", mdi("2411", "NetlogonBypassSecurityAlert", ""), "", "TA0004 Privilege Escalation", ""},
		{"in no table", mdi("2999", "TeapotSecurityAlert", ""), "class:teapot", "", ""},
		{
			"in the text, with a part of it", shown("ALERT_EXTERNAL_X", "Ida performed 11 suspicious activities MITRE Technique used Account Discovery (T1087) and subtechnique used Domain Account (T1087.002)"), "",
			"", "T1087.002 Domain Account of Account Discovery",
		},
		{
			"in the text what the table has", shown("ALERT_EXTERNAL_AATP_ACCOUNT_ENUMERATION_SECURITY_ALERT", "MITRE Technique used Account Discovery (T1087)"), "",
			"TA0007 Discovery", "T1087.002 Domain Account of Account Discovery",
		},
		{"in the text only", shown("ALERT_EXTERNAL_X", "MITRE Technique used Teapot (T9999)"), "", "", "T9999 "},
		{"a name before the text", shown("ALERT_EXTERNAL_X", "Ida (T1110) MITRE Technique used x (T1111) performed 1 suspicious activities MITRE Technique used Brute Force (T1110) (T11) (T1110.1) (T12345)"), "", "", "T1110 Brute Force"},
		{"no alert", activity, "2006", "", ""},
	}
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.n.Kind == "" {
				tt.n.Kind = formats.Alert
			}
			a := c.Attack(&tt.n, tt.detection)
			var tactics, techniques []string
			for _, x := range a.Tactics {
				tactics = append(tactics, x.ID+" "+x.Name)
			}
			for _, x := range a.Techniques {
				text := x.ID + " " + x.Name
				if x.Sub() {
					text += " of " + x.Parent
				}
				techniques = append(techniques, text)
			}
			if diff := cmp.Diff([]string{tt.tactics, tt.techniques}, []string{strings.Join(tactics, ", "), strings.Join(techniques, ", ")}); diff != "" {
				t.Errorf("Attack (-want +got):\n%s", diff)
			}
		})
	}
	if again := c.Attack(&formats.Notification{Kind: formats.Alert}, "2003").Techniques; len(again) != 1 || again[0].ID != "T1087.002" {
		t.Errorf("the table changed: %+v", again)
	}
}

// TestEveryTechniqueIsNamed: a sub-technique has the name of its technique too.
func TestEveryTechniqueIsNamed(t *testing.T) {
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(detections)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		for _, x := range c.attacks[current(row[0])].Techniques {
			if x.Name == "" || x.Sub() && x.Parent == "" {
				t.Errorf("%s: no name of %s", row[0], x.ID)
			}
		}
	}
}
