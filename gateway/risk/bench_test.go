package risk_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/sluice-siem/sluice/gateway/risk"
)

// BenchmarkProfiles is the size of the issue: 20,000 users and 5 million activities, of which profiles may take
// 256 MiB. Run it with -benchtime=1x.
func BenchmarkProfiles(b *testing.B) {
	const users, activities, days = 20_000, 5_000_000, 30
	b.ReportAllocs()
	for b.Loop() {
		before := heap()
		s := risk.New(risk.Options{})
		r := rand.New(rand.NewPCG(1, 1))
		var people []risk.Person
		for i := range users {
			people = append(people, risk.Person{User: name(i), Department: fmt.Sprint(i % 60)})
		}
		s.Know(people)
		home := make([]string, 250*250)
		for i := range home {
			home[i] = fmt.Sprintf("%d.%d.0.0/24", i/250, i%250)
		}
		for n := range activities {
			i := r.IntN(users)
			a := usual(i, day(n*days/activities, 7+10*r.Float64()))
			a.ID = "75914224_1600000000000_00000000000000000000000000000000"
			a.Class, a.App = classes[r.IntN(len(classes))], apps[(i+r.IntN(5))%len(apps)]
			a.Range, a.Agent = home[(i*7+r.IntN(6))%len(home)], apps[(i+r.IntN(3))%len(apps)]
			s.Activity(a)
		}
		used := heap() - before
		b.ReportMetric(float64(used)/(1<<20), "MiB")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/activities, "ns/activity")
		if used > 256<<20 {
			b.Errorf("the profiles take %d MiB", used>>20)
		}
		runtime.KeepAlive(s)
	}
}

var (
	classes = []string{"LOGIN", "VIEW", "DOWNLOAD", "UPLOAD", "MODIFY", "SHARE", "DELETE", "LOGOUT", "SEND", "RUN"}
	apps    = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"}
)

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
