package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
)

// replayed is an office's work for some days, and then what happens on the last one.
func replayed(t *testing.T, c config.Config, last ...string) []UserScore {
	t.Helper()
	r, err := NewReplay(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var got []UserScore
	if err := r.Score(c, func(s UserScore) error {
		got = append(got, s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	n := 0
	tell := func(text string, at time.Time) {
		n++
		text = strings.NewReplacer("@MS", fmt.Sprint(at.UnixMilli()), "@T", at.Format("2006-01-02T15:04:05.000Z"), "@ID", fmt.Sprint("act", n)).Replace(text)
		if err := r.Message([]byte(text), at.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	for day := range 12 {
		for i := range 20 {
			for hour := range 3 {
				tell(did(fmt.Sprintf("u%d@hill.example", i), "EVENT_CATEGORY_VIEW_FILE", "10.1.2.3"), start.AddDate(0, 0, day).Add(time.Duration(hour)*time.Hour+time.Duration(i)*time.Second))
			}
		}
	}
	for i, text := range last {
		tell(text, start.AddDate(0, 0, 12).Add(time.Duration(i)*time.Minute))
	}
	if _, err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	return got
}

func did(user, class, address string) string {
	return "@T HILLAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|" + class + "|View file|0|externalId=@ID rt=@MS start=@MS end=@MS msg=View file suser=" + user +
		" destinationServiceName=Box dvc=" + address + " requestClientApplication=Mozilla/5.0 cs1Label=portalURL cs1=https://x cs2Label=uniqueServiceAppIds cs2=BOX"
}

const (
	sensor = `<36>1 2026-03-14T09:00:30.000000+00:00 DC1 CEF 4012 PassTheTicketSecurityAlert 0|Microsoft|Azure ATP|2.231.1.0|PassTheTicketSecurityAlert|` +
		`Suspected identity theft (pass-the-ticket)|10|start=2026-03-14T09:00:00.0000000Z app=Kerberos shost=PC7 suser=seven msg=An actor took the tickets of Ida Seven. ` +
		`externalId=2018 cs1Label=url cs1=https\://hill.atp.azure.com/securityAlert/0a0b0c0d-0102-4304-9506-0708090a0b0c cs2Label=trigger cs2=new`
	agent = `2026-03-14T09:00:00.000Z HILLAGENT CEF:0|MCAS|SIEM_Agent|0.271.3|ALERT_EXTERNAL_AATP_PASS_THE_TICKET_SECURITY_ALERT|` +
		`Suspected identity theft (pass-the-ticket)|3|externalId=69b524e0000000000000000a start=1773478800000 end=1773478800000 msg=An actor took the tickets of Ida Seven. ` +
		`suser=u7@hill.example destinationServiceName=Active Directory cn1Label=riskScore cn1= cs1Label=portalURL cs1=https://x cs2Label=uniqueServiceAppIds ` +
		`cs2=APPID_ACTIVE_DIRECTORY cs3Label=relatedAudits cs3= cs4Label=policyIDs cs4=`
)

func organised(t *testing.T) config.Config {
	t.Helper()
	dir := t.TempDir()
	c := config.Default()
	c.Organisation.DirectoryFile, c.Organisation.NetworksFile = filepath.Join(dir, "people.csv"), filepath.Join(dir, "networks.csv")
	for name, text := range map[string]string{
		c.Organisation.DirectoryFile: "upn,sam,display_name,department,title,sensitive\nU7@hill.example,HILL\\seven,Ida Seven,Sales,Clerk,yes\n",
		c.Organisation.NetworksFile:  "cidr,country,tag\n10.0.0.0/8,NO,corporate\n203.0.113.0/24,BR,hosting\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestScoresOfADay: one line for each user with a score, under the directory's spelling; the alert that two services
// told is one part.
func TestScoresOfADay(t *testing.T) {
	got := replayed(t, organised(t), sensor, agent, did("u3@hill.example", "EVENT_CATEGORY_VIEW_FILE", "203.0.113.9"))
	if len(got) != 2 {
		t.Fatalf("%d lines: %+v, want those of two users on the last day", len(got), got)
	}
	for i, want := range []struct{ user, kind, words string }{
		{"u7@hill.example", "alert", "a sensitive user's high alert; the user's first of this type"},
		{"u3@hill.example", "activity", "first time from this country: BR"},
	} {
		s := got[i]
		if s.Date != "2026-03-14" || s.User != want.user || len(s.Parts) != 1 || string(s.Parts[0].Kind) != want.kind {
			t.Errorf("line %d: %+v, want one part of %s, %s", i, s, want.user, want.kind)
			continue
		}
		if s.Parts[0].Score != s.Score || s.Parts[0].Without != 0 || !strings.Contains(fmt.Sprint(s.Parts[0].Reasons), want.words) {
			t.Errorf("line %d: %+v, want all of it in one part with %q", i, s, want.words)
		}
	}
	if got[0].Percentile != 100 {
		t.Errorf("percentile %v of the first, want 100", got[0].Percentile)
	}
}

// TestResentActivitiesTeachNothing: the two days that are sent again are no second time.
func TestResentActivitiesTeachNothing(t *testing.T) {
	odd := strings.ReplaceAll(did("u3@hill.example", "EVENT_CATEGORY_VIEW_FILE", "203.0.113.9"), "@ID", "same")
	odd = strings.NewReplacer("@MS", "1773478800000", "@T", "2026-03-14T09:00:00.000Z").Replace(odd)
	once, twice := replayed(t, organised(t), odd), replayed(t, organised(t), odd, odd, odd, odd, odd, odd, odd)
	if len(once) != 1 || len(twice) != 1 || once[0].Score != twice[0].Score {
		t.Errorf("%+v when sent again, want %+v", twice, once)
	}
}

func TestScoresWithoutFiles(t *testing.T) {
	c := config.Default()
	c.Organisation.DirectoryFile = filepath.Join(t.TempDir(), "missing.csv")
	r, err := NewReplay(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if err := r.Score(c, nil); err == nil || !strings.Contains(err.Error(), "organisation.directory_file") {
		t.Errorf("Score = %v, want the file named", err)
	}
}
