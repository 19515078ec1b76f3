package model

import (
	"database/sql"
	"testing"

	"github.com/sluice-siem/sluice/config/filter"
)

// TestNameCondition asks a table of users made by hand.
func TestNameCondition(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+t.TempDir()+"/x.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const rows = `
		INSERT INTO persons (n, id, display, folded, upn, upn_folded) VALUES (1, 'p1', 'Ida Brook', 'ida brook', 'ida.brook@hill.example', 'ida.brook@hill.example'), (2, 'p2', 'svc[1]', 'svc[1]', NULL, NULL);
		INSERT INTO names (n, id, spelling, folded, domain, key, certain, letters, identity, person, by_hand, why) VALUES
			(1, 'p1', 'HILL\ibrook', 'hill\ibrook', 'hill', 'hill\ibrook', 1, '', 'i', 1, 0, ''),
			(2, 'n2', 'IBrook', 'ibrook', NULL, 'ibrook', 0, '', 'i', 1, 1, ''),
			(3, 'p2', 'svc[1]', 'svc[1]', NULL, 'svc[1]', 0, '', 's', 2, 0, '');
		INSERT INTO directory_groups (folded, identity, name) VALUES ('finance', 'i', 'Finance');`
	if _, err := db.ExecContext(t.Context(), schema+rows); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		field  string
		op     filter.Op
		values []string
		want   int64 // names
	}{
		{"user", filter.Equals, []string{"IBROOK"}, 2},
		{"user", filter.Equals, []string{"Ida Brook"}, 2},
		{"user", filter.NotEquals, []string{"Ida.Brook@hill.example"}, 2},
		{"user", filter.Equals, []string{"brook"}, 0},
		{"user", filter.Equals, []string{"ibrook", "svc[1]"}, 3},
		{"user", filter.Contains, []string{"brook"}, 2},
		{"user", filter.Contains, []string{"nobody", "c[1"}, 1},
		{"user", filter.StartsWith, []string{"HILL\\"}, 2},
		{"user", filter.StartsWith, []string{"rook"}, 0},
		{"user", filter.Matches, []string{"svc[*"}, 1},
		{"user", filter.Matches, []string{"*@hill.*"}, 2},
		{"user", filter.Matches, []string{"svc?1?"}, 0},
		{"user", filter.Set, nil, 3},
		{"user_domain", filter.Equals, []string{"Hill"}, 2},
		{"user_domain", filter.NotSet, nil, 2},
		{"user_group", filter.Equals, []string{"FINANCE"}, 2},
		{"user_group", filter.Contains, []string{"nan"}, 2},
		{"user_group", filter.Set, nil, 2},
	}
	for _, tt := range tests {
		query, args, err := nameCondition(filter.Condition{Field: tt.field, Op: tt.op, Values: tt.values})
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM ("+query+")", args...).Scan(&got); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if got != tt.want {
			t.Errorf("%s %s %q fits %d names, want %d", tt.field, tt.op, tt.values, got, tt.want)
		}
	}
	for _, c := range []filter.Condition{{Field: "user", Op: filter.Above, Values: []string{"x"}}, {Field: "ip", Op: filter.Set}} {
		if _, _, err := nameCondition(c); err == nil {
			t.Errorf("nameCondition(%v) = nil error, want a refusal", c)
		}
	}
}
