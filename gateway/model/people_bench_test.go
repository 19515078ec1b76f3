package model

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-siem/sluice/formats"
)

// BenchmarkName: what naming whom an activity is of costs. known: one of 2,000 users who was seen before, as most
// are, in transactions of 4,096 entries, the writing of who was seen when included. new: a spelling never seen.
func BenchmarkName(b *testing.B) {
	b.Run("cached", func(b *testing.B) {
		c := newCrowd(b, hill())
		c.begin()
		e := c.entry(formats.CloudAppSecurity)
		for b.Loop() {
			if _, err := c.f.name(context.Background(), e, "ida.brook@hill.example"); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, users := range []int{400, 2000, 20000} {
		b.Run(fmt.Sprintf("known/%d", users), func(b *testing.B) {
			c := newCrowd(b, hill())
			spellings := make([]string, users)
			for i := range spellings {
				spellings[i] = fmt.Sprintf("user%d@hill.example", i)
			}
			c.see(spellings...)
			for i := 0; b.Loop(); i++ {
				c.fold(c.entry(formats.CloudAppSecurity, spellings[i*7919%users]))
				if i%batchEntries == 0 {
					c.commit()
				}
			}
			c.commit()
		})
	}
	b.Run("new", func(b *testing.B) {
		c := newCrowd(b, hill())
		for i := 0; b.Loop(); i++ {
			c.fold(c.entry(formats.CloudAppSecurity, fmt.Sprintf("user%d@hill.example", i)))
			if i%batchEntries == 0 {
				c.commit()
			}
		}
		c.commit()
	})
}

// BenchmarkAnew: deciding anew who is who, which a change of the directory's names does, and taking over one that
// names 20,000 people.
func BenchmarkAnew(b *testing.B) {
	c := newCrowd(b, hill())
	file := filepath.Join(b.TempDir(), "people.csv")
	text := []byte("upn,sam,display_name,department\n")
	for i := range 20000 {
		text = fmt.Appendf(text, "first%d.last@hill.example,sam%d,First%d Last,Department %d\n", i, i, i, i%100)
	}
	c.must(os.WriteFile(file, text, 0o600))
	for i := range 20000 {
		for _, form := range []string{"first%d.last@hill.example", "sam%d", "First%d Last"} {
			c.fold(c.entry(formats.CloudAppSecurity, fmt.Sprintf(form, i)))
		}
	}
	c.commit()
	var took [2]time.Duration
	for b.Loop() {
		for i, name := range []string{file, ""} {
			start := time.Now()
			c.m.options.Config.Organisation.DirectoryFile = name
			c.open()
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(took[0].Seconds()/float64(b.N), "s/directory")
	b.ReportMetric(took[1].Seconds()/float64(b.N), "s/anew")
}
