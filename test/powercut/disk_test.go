package powercut

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record writes calls as the recorder does: strings in hexadecimal.
func record(t *testing.T, calls string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	text := regexp.MustCompile(`"[^"]*"`).ReplaceAllStringFunc(calls, func(s string) string {
		out := `"`
		for _, b := range []byte(strings.Trim(s, `"`)) {
			out += fmt.Sprintf(`\x%02x`, b)
		}
		return out + `"`
	})
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// listing says what is in a directory: names, and the first letter of each sector.
func (n *inode) listing() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		text := ""
		for at := int64(0); at < n.names[name].size; at += sector {
			p := n.names[name].sure.page(at / pageSize)
			text += string(max(p[at%pageSize], '0'))
		}
		out = append(out, name+":"+text)
	}
	return strings.Join(out, " ")
}

// TestWhatMayBeLeft: of many power cuts each leaves something of what may be left, and together they leave all of it.
func TestWhatMayBeLeft(t *testing.T) {
	a, b := strings.Repeat("a", 2*sector), strings.Repeat("b", 2*sector)
	const file = `1 openat(AT_FDCWD, "disk/f", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3
1 openat(AT_FDCWD, "disk", O_RDONLY|O_CLOEXEC) = 4
`
	write := func(s string) string { return fmt.Sprintf("1 write(3, %q, 1024) = 1024\n", s) }
	over := fmt.Sprintf("1 pwrite64(3, %q, 1024, 0) = 1024\n", b)
	tests := []struct {
		name, calls string
		want        []string
	}{
		{"synced", file + write(a) + "1 fsync(3) = 0\n", []string{"f:aa"}},
		{
			"it died when something was opened",
			file + write(a) + "1 fsync(3) = 0\n" + `2 openat(AT_FDCWD, "disk/f", O_RDWR|O_CLOEXEC <unfinished ...>` + "\n2 <... openat resumed>)             = ? <unavailable>\n",
			[]string{"f:aa"},
		},
		{"by O_DSYNC", strings.Replace(file, "O_CLOEXEC", "O_DSYNC|O_CLOEXEC", 1) + write(a), []string{"f:aa"}},
		{"nothing is synced", file + write(a), []string{"", "f:", "f:a", "f:aa", "f:a0", "f:0a", "f:00", "f:0"}},
		{"its name is synced", file + write(a) + "1 fsync(4) = 0\n", []string{"f:", "f:a", "f:aa", "f:a0", "f:0a", "f:00", "f:0"}},
		{"written over", file + write(a) + "1 fsync(3) = 0\n" + over, []string{"f:aa", "f:bb", "f:ab", "f:ba"}},
		{
			"written while it is synced",
			file + write(a) + "1 fsync(3 <unfinished ...>\n2 " + over[2:] + "1 <... fsync resumed>) = 0\n",
			[]string{"f:aa", "f:bb", "f:ab", "f:ba"},
		},
		{
			"synced before the write has ended",
			file + write(a) + "1 fsync(3) = 0\n" + strings.Replace(over, ") = 1024", " <unfinished ...>", 1) + "2 fsync(3) = 0\n1 <... pwrite64 resumed>) = 1024\n",
			[]string{"f:aa", "f:bb", "f:ab", "f:ba"},
		},
		{"the sync fails", file + write(a) + "1 fsync(4) = 0\n1 fsync(3) = -1 EIO (Input/output error)\n", []string{"f:", "f:a", "f:aa", "f:a0", "f:0a", "f:00", "f:0"}},
		{"cut", file + write(a) + "1 fsync(3) = 0\n1 ftruncate(3, 512) = 0\n", []string{"f:aa", "f:a"}},
		{"renamed", file + write(a) + "1 fsync(3) = 0\n" + `1 renameat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g") = 0` + "\n", []string{"f:aa", "g:aa"}},
		{
			"renamed for good",
			file + write(a) + "1 fsync(3) = 0\n" + `1 renameat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g") = 0` + "\n1 fsync(4) = 0\n",
			[]string{"g:aa"},
		},
		{
			"renamed before it is synced",
			file + write(a) + `1 renameat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g") = 0` + "\n1 fsync(4) = 0\n",
			[]string{"g:", "g:a", "g:aa", "g:a0", "g:0a", "g:00", "g:0"},
		},
		{"removed", file + write(a) + "1 fsync(3) = 0\n" + `1 unlinkat(AT_FDCWD, "disk/f", 0) = 0` + "\n", []string{"", "f:aa"}},
		{"a second name", file + write(a) + "1 fsync(3) = 0\n" + `1 linkat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g", 0) = 0` + "\n", []string{"f:aa", "f:aa g:aa"}},
		{"elsewhere", `1 openat(AT_FDCWD, "f", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3` + "\n" + write(a), []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, trace, got := empty(t), record(t, tt.calls), map[string]bool{}
			for seed := range uint64(200) {
				after, err := follow(t, root, trace).top.left(nil, rand.New(rand.NewPCG(seed, 0)))
				if err != nil {
					t.Fatal(err)
				}
				got[after.listing()] = true
			}
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKilledInACall: what a process did in the call that it was killed in, the next process finds and makes safe.
func TestKilledInACall(t *testing.T) {
	a, b := strings.Repeat("a", 2*sector), strings.Repeat("b", 2*sector)
	made := fmt.Sprintf(`1 openat(AT_FDCWD, "disk/f", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3
1 write(3, %q, 1024) = 1024
1 fsync(3) = 0
`, a)
	const (
		cut  = " <unfinished ...>\n"
		next = `1 openat(AT_FDCWD, "disk", O_RDONLY|O_CLOEXEC) = 4
1 fsync(4) = 0
`
	)
	over := fmt.Sprintf("1 pwrite64(3, %q, 1024, 0", b)
	sync := `1 openat(AT_FDCWD, "disk/f", O_RDWR|O_CLOEXEC) = 3` + "\n1 fsync(3) = 0\n"
	for _, tt := range []struct {
		name, call, next string
		now              map[string]string
		want             string
	}{
		{"written", over + cut, sync, map[string]string{"f": b}, "f:bb"},
		{"written, and the recorder saw it die", over + ") = ? <unavailable>\n", sync, map[string]string{"f": b}, "f:bb"},
		{"half of it", over + cut, sync, map[string]string{"f": b[:sector] + a[sector:]}, "f:ba"},
		{"not written", over + cut, sync, map[string]string{"f": a}, "f:aa"},
		{"behind the end", fmt.Sprintf("1 pwrite64(3, %q, 1024, 1024", b) + cut, sync, map[string]string{"f": a + b}, "f:aabb"},
		{"not behind the end", fmt.Sprintf("1 pwrite64(3, %q, 1024, 1024", b) + cut, sync, map[string]string{"f": a}, "f:aa"},
		{"shortened", "1 ftruncate(3, 512" + cut, sync, map[string]string{"f": a[:sector]}, "f:a"},
		{"not shortened", "1 ftruncate(3, 512" + cut, sync, map[string]string{"f": a}, "f:aa"},
		{"emptied", `1 openat(AT_FDCWD, "disk/f", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600` + cut, sync, map[string]string{"f": ""}, "f:"},
		{"made", `1 openat(AT_FDCWD, "disk/g", O_RDWR|O_CREAT|O_CLOEXEC, 0600` + cut, next, map[string]string{"f": a, "g": ""}, "f:aa g:"},
		{"not made", `1 openat(AT_FDCWD, "disk/g", O_RDWR|O_CREAT|O_CLOEXEC, 0600` + cut, next, map[string]string{"f": a}, "f:aa"},
		{"removed", `1 unlinkat(AT_FDCWD, "disk/f", 0` + cut, next, nil, ""},
		{"not removed", `1 unlinkat(AT_FDCWD, "disk/f", 0` + cut, next, map[string]string{"f": a}, "f:aa"},
		{"renamed", `1 renameat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g"` + cut, next, map[string]string{"g": a}, "g:aa"},
		{"not renamed", `1 renameat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g"` + cut, next, map[string]string{"f": a}, "f:aa"},
		{"linked", `1 linkat(AT_FDCWD, "disk/f", AT_FDCWD, "disk/g", 0` + cut, next, map[string]string{"f": a, "g": a}, "f:aa g:aa"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := empty(t)
			d, err := New(root)
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range tt.now {
				if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Follow(record(t, made+tt.call), filepath.Dir(root)); err != nil {
				t.Fatal(err)
			}
			if err := d.Check(); err != nil {
				t.Error(err)
			}
			if err := d.Follow(record(t, tt.next), filepath.Dir(root)); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(20) {
				after, err := d.top.left(nil, rand.New(rand.NewPCG(seed, 0)))
				if err != nil {
					t.Fatal(err)
				}
				if got := after.listing(); got != tt.want {
					t.Fatalf("what is left = %q, want %q", got, tt.want)
				}
			}
		})
	}
}

// TestCut: a page that a process wrote to memory is sure where it called msync for it, and the directory is
// replaced by what is left.
func TestCut(t *testing.T) {
	now := []byte(strings.Repeat("a", pageSize) + strings.Repeat("b", pageSize))
	root, got := empty(t), map[string]bool{}
	trace := record(t, `1 openat(AT_FDCWD, "disk/f", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3
1 ftruncate(3, 8192) = 0
1 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0) = 0x7f0000000000
1 msync(0x7f0000000000, 4096, MS_SYNC) = 0
`)
	for seed := range uint64(20) {
		d := follow(t, root, trace)
		if err := os.WriteFile(filepath.Join(root, "f"), now, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.Cut(rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(); err != nil {
			t.Error(err)
		}
		got[d.top.listing()] = true
		if err := os.Remove(filepath.Join(root, "f")); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"f:aaaaaaaa00000000", "f:aaaaaaaabbbbbbbb"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

// TestCheckFindsWhatWasNotFollowed: nobody believes a recording that misses something.
func TestCheckFindsWhatWasNotFollowed(t *testing.T) {
	trace := record(t, `1 openat(AT_FDCWD, "disk/f", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3
1 write(3, "abc", 3) = 3
`)
	for name, tt := range map[string]struct {
		now map[string]string
		ok  bool
	}{
		"as followed":   {map[string]string{"f": "abc"}, true},
		"other content": {map[string]string{"f": "abd"}, false},
		"longer":        {map[string]string{"f": "abcd"}, false},
		"gone":          {nil, false},
		"one more":      {map[string]string{"f": "abc", "g": ""}, false},
	} {
		root := empty(t)
		d := follow(t, root, trace)
		for name, data := range tt.now {
			if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: Check() = %v", name, err)
		}
	}
}

// empty is the directory disk, with nothing in it.
func empty(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	return root
}

// follow is a disk on which a process has worked.
func follow(t *testing.T, root, trace string) *Disk {
	t.Helper()
	d, err := New(root)
	if err == nil {
		err = d.Follow(trace, filepath.Dir(root))
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}
