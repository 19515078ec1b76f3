package stream

import (
	"fmt"
	"testing"
)

// BenchmarkAppend encodes and appends full batches; an op is one entry.
func BenchmarkAppend(b *testing.B) {
	for _, synced := range []bool{true, false} {
		b.Run(fmt.Sprintf("synced=%v", synced), func(b *testing.B) {
			s := openStream(b, Options{Dir: b.TempDir(), Synced: synced})
			es := entries(0, MaxEntries)
			batch := new(Batch)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(es) {
				batch.Reset()
				for i := range es {
					if ok, err := batch.Add(es[i]); !ok || err != nil {
						b.Fatal(ok, err)
					}
				}
				if _, err := s.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(batch.Size() / len(es)))
		})
	}
}

// BenchmarkRead reads a backlog of full messages through a reader that commits; an op is one entry.
func BenchmarkRead(b *testing.B) {
	s := openStream(b, Options{Dir: b.TempDir()})
	const messages = 200
	for i := range messages {
		appendEntries(b, s, i*MaxEntries, MaxEntries)
	}
	r := openReader(b, s, "siem", Oldest)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		if n%(messages*MaxEntries) == 0 {
			b.StopTimer()
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
			r = openReader(b, s, fmt.Sprint("siem", n), Oldest)
			b.StartTimer()
		}
		es, err := r.Next(b.Context(), MaxEntries)
		if err != nil {
			b.Fatal(err)
		}
		n += len(es)
		if err := r.Commit(es[len(es)-1].At, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandOver appends small batches to a stream with a reader at its end; an op is one entry.
func BenchmarkHandOver(b *testing.B) {
	s := openStream(b, Options{Dir: b.TempDir()})
	r := openReader(b, s, "siem", Now)
	es := entries(0, 10)
	batch := new(Batch)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(es) {
		batch.Reset()
		for i := range es {
			if ok, err := batch.Add(es[i]); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		got := next(b, r, len(es), 512)
		commit(b, r, got[len(got)-1].At)
	}
}

// BenchmarkScan reads a backlog of full messages as a rebuild does; an op is one entry.
func BenchmarkScan(b *testing.B) {
	s := openStream(b, Options{Dir: b.TempDir()})
	for i := range 100 {
		appendEntries(b, s, i*MaxEntries, MaxEntries)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		for m, err := range s.Scan(b.Context(), 1) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(m.Entries)
		}
	}
}
