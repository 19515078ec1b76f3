package model

import (
	"errors"
	"testing"
)

// FuzzAlertCursor: what isn't a cursor of ours is an error and nothing worse, and what is comes out as it went in.
func FuzzAlertCursor(f *testing.F) {
	for _, sort := range []string{"-time", "severity", "first_seen"} {
		o, err := alertOrderOf(sort)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sort, o.cursor(7, &alertRecord{}))
	}
	f.Add("time", "e30")
	f.Fuzz(func(t *testing.T, sort, cursor string) {
		o, err := alertOrderOf(sort)
		if err != nil {
			return
		}
		w := &alertWhere{}
		if err := o.after(w, cursor); err != nil {
			if !errors.Is(err, ErrCursor) {
				t.Errorf("%q: %v", cursor, err)
			}
			return
		}
		if len(w.args) != len(o.columns) {
			t.Errorf("%q gives %v for %v", cursor, w.args, o.columns)
		}
	})
}
