package risk

import (
	"math"
	"slices"
	"testing"
)

// TestBounded: the published figures of the zeta-weighted sum.
func TestBounded(t *testing.T) {
	for _, tt := range []struct {
		parts int
		want  float64
	}{{0, 0}, {1, 38.57}, {10, 76.97}, {100, 93.07}, {1000, 98.33}, {10_000, 99.999}} {
		parts := slices.Repeat([]Points{100_00}, tt.parts)
		if got := bounded(parts); math.Abs(got-tt.want) > 0.005 {
			t.Errorf("%d parts of 100: %.3f, want %.3f", tt.parts, got, tt.want)
		}
	}
}

// TestManySmallDontOutrankOneLarge: by the bounded value.
func TestManySmallDontOutrankOneLarge(t *testing.T) {
	if small, large := bounded(slices.Repeat([]Points{5_00}, 500)), bounded([]Points{100_00}); small >= large {
		t.Errorf("500 parts of 5: %.1f, one of 100: %.1f", small, large)
	}
}

// TestADayCountsTogether: twice the bits are four times the points; the second of a sort counts half.
func TestADayCountsTogether(t *testing.T) {
	bits := func(f feature, b int32) finding { return finding{Feature: f, Bits: b} }
	tests := []struct {
		name  string
		items []*item
		want  []Points
	}{
		{"one", []*item{{Day: 1, Found: []finding{bits(country, 1000)}}}, []Points{500}},
		{"two sorts", []*item{{Day: 1, Found: []finding{bits(country, 1000)}}, {Day: 1, Found: []finding{bits(agent, 1000)}}}, []Points{1000, 1000}},
		{"two sorts on two days", []*item{{Day: 1, Found: []finding{bits(country, 1000)}}, {Day: 2, Found: []finding{bits(agent, 1000)}}}, []Points{500, 500}},
		{"one sort", []*item{{Day: 1, Found: []finding{bits(country, 500)}}, {Day: 1, Found: []finding{bits(network, 1000)}}}, []Points{156, 625}},
		{"more than a day may have", []*item{{Day: 1, Found: []finding{bits(country, 9000)}}}, []Points{180_00}},
		{"rounded", []*item{{Day: 1, Found: []finding{bits(country, 101)}}, {Day: 1, Found: []finding{bits(agent, 102)}}, {Day: 1, Found: []finding{bits(hour, 103)}}}, []Points{15, 15, 16}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := total(tt.items, -1, 1)
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("total = %v, want %v", got, tt.want)
				}
			}
		})
	}
}
