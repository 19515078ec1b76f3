package model_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/config"
	"github.com/sluice-siem/sluice/dedup"
	"github.com/sluice-siem/sluice/formats"
	"github.com/sluice-siem/sluice/gateway/model"
	"github.com/sluice-siem/sluice/gateway/policy"
	"github.com/sluice-siem/sluice/gateway/stream"
)

// traffic makes activities as a company of some thousand people has them: few applications and types, many
// files, and some of everything far more often than the rest.
type traffic struct {
	r    *rand.Rand
	at   time.Time
	step time.Duration
	n    int
}

func newTraffic(step time.Duration) *traffic {
	return &traffic{r: rand.New(rand.NewPCG(5, 5)), at: day(), step: step}
}

// some is a number below n, small ones far more often.
func (tr *traffic) some(n int) int {
	f := tr.r.Float64()
	return int(float64(n) * f * f * f)
}

func (tr *traffic) entry() *stream.Entry {
	tr.n++
	tr.at = tr.at.Add(time.Duration(tr.r.Int64N(int64(2 * tr.step))))
	who := tr.some(5000)
	user := fmt.Sprintf("user%d@harbour.example", who)
	app := tr.some(25)
	n := formats.Notification{
		Service: formats.CloudAppSecurity, Kind: formats.Activity, Channel: "syslog", Origin: formats.CloudAppSecurity, Severity: formats.Informational,
		ID:  fmt.Sprintf("105693141_20893_%08x-c5f1-4cf2-%04x-08dd44be%04x", tr.r.Uint32(), tr.n&0xffff, tr.r.Uint32N(1<<16)),
		App: fmt.Sprintf("Application %d", app), Accounts: []formats.Entity{{Name: user, Key: "suser"}},
		Addresses: []string{fmt.Sprintf("10.%d.%d.%d", who%7, who/200, who%200+50*tr.some(2))},
		Start:     tr.at.Add(-time.Duration(tr.r.Int64N(int64(time.Minute)))), Arrived: tr.at, Parsed: true,
		Extra: map[string]string{"rt": "1678093152044", "uniqueServiceAppIds": fmt.Sprintf("APPID_%d", app)},
	}
	n.End = n.Start
	n.URL = "https://security.microsoft.com/cloudapps/activity-log?activity.id=eq(" + n.ID + ",)"
	tr.what(&n)
	n.Raw = []byte(strings.Repeat("x", 700))
	n.Content = [16]byte{byte(tr.n), byte(tr.n >> 8), byte(tr.n >> 16), byte(tr.n >> 24)}
	return &stream.Entry{
		Kind: stream.Notification, Key: dedup.EventKey(fmt.Sprintf("%016x%016x", tr.r.Uint64(), tr.n)), Time: tr.at, Input: "cas",
		Notification: n, Match: dedup.Match{Relation: dedup.First}, Decision: policy.Decision{Action: dedup.Forward, Reason: "policy"},
	}
}

// what fills in what was done.
func (tr *traffic) what(n *formats.Notification) {
	file := fmt.Sprintf("%s %d.docx", [...]string{"plan", "report", "budget", "minutes", "offer"}[tr.r.IntN(5)], tr.some(200_000))
	switch tr.r.IntN(10) {
	case 0, 1:
		n.Class, n.Title, n.Message = "EVENT_CATEGORY_LOGIN", "Log on", "Log on"
	case 2:
		host := fmt.Sprintf("SRV%d", tr.some(500))
		n.Class, n.Title, n.App = "EVENT_CATEGORY_RUN_COMMAND", "Run command", "Active Directory"
		n.Message = fmt.Sprintf("Run command: SAMR query, Parameters: Query for group %d on %s", tr.some(3000), host)
		n.Extra["targetObjects"] = "," + host
		return
	case 3, 4, 5:
		n.Class, n.Title = "EVENT_CATEGORY_DOWNLOAD_FILE", "Download file"
	case 6, 7:
		n.Class, n.Title = "EVENT_CATEGORY_VIEW_FILE", "View file"
	case 8:
		n.Class, n.Title = "EVENT_CATEGORY_UPLOAD_FILE", "Upload file"
	default:
		kind := tr.some(200)
		n.Class, n.Title = fmt.Sprintf("EVENT_CATEGORY_MODIFY_THING_%d", kind), fmt.Sprintf("Modify thing %d", kind)
		n.Message = n.Title + " of " + n.App
		if tr.r.IntN(20) == 0 {
			n.Extra["policyIDs"] = fmt.Sprintf("63f0a1b2c3d4e5f6012345%02d", tr.some(30))
		}
	}
	n.Extra["requestClientApplication"] = fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 50+tr.some(60))
	if n.Message == "" {
		n.Message = n.Title + ": file " + file
		n.Extra["targetObjects"] = "," + file + "," + n.Accounts[0].Name
	}
}

// record puts as many activities into the stream.
func (tr *traffic) record(tb testing.TB, s *stream.Stream, count int) stream.Position {
	tb.Helper()
	var b stream.Batch
	var at stream.Position
	for i := range count {
		if _, err := b.Add(tr.entry()); err != nil {
			tb.Fatal(err)
		}
		if !b.Full() && i < count-1 {
			continue
		}
		a, err := s.Append(tb.Context(), &b)
		if err != nil {
			tb.Fatal(err)
		}
		at = stream.Position{Sequence: a.Sequence, Index: b.Len() - 1}
		b.Reset()
	}
	return at
}

// cpuTime is what the process has used; on a machine that others use too it says more than the clock.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFoldActivities folds what is in a stream, which is the work of a model made anew.
func BenchmarkFoldActivities(b *testing.B) {
	dir := b.TempDir()
	s, err := stream.Open(b.Context(), stream.Options{Dir: dir + "/stream", Cursors: dir + "/cursors", MaxDisk: 64 << 30, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	end := newTraffic(600*time.Millisecond).record(b, s, b.N)
	b.ResetTimer()
	before := cpuTime(b)
	m, err := model.Open(b.Context(), model.Options{Dir: dir + "/model", Stream: s, Config: config.Default(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	stop := follow(b, m)
	if err := m.Wait(b.Context(), end); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "activities/s")
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.StopTimer()
	stop()
	if err := m.Close(); err != nil {
		b.Error(err)
	}
}
