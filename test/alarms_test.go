package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const alarms = "../config/prometheus/sluice.rules"

// promtool runs Prometheus' own check. Where it is missing the test is skipped, or fails where tests are
// strict.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		const hint = "promtool is missing: apt-get install prometheus"
		if os.Getenv("CI") != "" || os.Getenv("SLUICE_TEST_STRICT") == "1" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlarmsByPromtool(t *testing.T) {
	promtool(t, "check", "rules", alarms+".yml")
	promtool(t, "test", "rules", alarms+".test.yml")
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAlarmsAreWhole: every alarm says how bad it is, what is wrong and what to do, and has a story in
// which it fires and then doesn't, or the other way round.
func TestAlarmsAreWhole(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert               string
				Labels, Annotations map[string]string
			}
		}
	}
	readYAML(t, alarms+".yml", &rules)
	var stories struct {
		Tests []struct {
			Times []struct {
				Samples []struct{ Labels string } `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	readYAML(t, alarms+".test.yml", &stories)
	fires := func(alert string) bool {
		for _, story := range stories.Tests {
			times := 0
			for _, at := range story.Times {
				for _, s := range at.Samples {
					if strings.Contains(s.Labels, `alertname="`+alert+`"`) {
						times++
					}
				}
			}
			if times > 0 && times < len(story.Times) {
				return true
			}
		}
		return false
	}
	count := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			count++
			if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
				t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || len(r.Annotations["description"]) < 80 {
				t.Errorf("%s doesn't say what is wrong and what to do", r.Alert)
			}
			if !fires(r.Alert) {
				t.Errorf("%s: no story in which it both fires and doesn't", r.Alert)
			}
		}
	}
	if count == 0 {
		t.Error("there are no alarms")
	}
}

// TestDashboard: Grafana's panels have IDs and places of their own, and Prometheus understands what they ask.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../config/grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	type record struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var asked []record
	ids, places := map[int]bool{}, map[[2]int]string{}
	variables := strings.NewReplacer("$instance", ".*", "$__rate_interval", "5m")
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: an ID twice, no title or nothing to show", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := places[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("panel %q lies on %q, or outside", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			asked = append(asked, record{"of_panel", variables.Replace(target.Expr)})
		}
	}
	// promtool reads expressions in rules only. As such they need no names of their own, in groups of one.
	type group struct {
		Name  string   `yaml:"name"`
		Rules []record `yaml:"rules"`
	}
	var groups []group
	for i, r := range asked {
		groups = append(groups, group{Name: "panel" + string(rune('a'+i)), Rules: []record{r}})
	}
	text, err := yaml.Marshal(map[string]any{"groups": groups})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--no-lint-fatal", file)
}
