package handler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestReadinessIsAMetric(t *testing.T) {
	m, r := NewMetrics("g", "v"), NewReadiness("broker")
	m.Tell(r)
	r.Note("paused", "upgrade")
	read := func() (lines []string) {
		t.Helper()
		families, err := m.Gatherer().Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, metric := range f.GetMetric() {
				switch name := f.GetName(); name {
				case "stream_engine_ready":
					lines = append(lines, fmt.Sprint(name, " ", metric.GetGauge().GetValue()))
				case "stream_engine_waiting_since_seconds", "stream_engine_note_since_seconds":
					lines = append(lines, name+" "+metric.GetLabel()[0].GetValue())
				}
			}
		}
		slices.Sort(lines)
		return lines
	}
	if got := strings.Join(read(), ","); got != "stream_engine_note_since_seconds paused,stream_engine_ready 0,stream_engine_waiting_since_seconds broker" {
		t.Error(got)
	}
	r.Clear("broker")
	r.ClearNote("paused")
	if got := strings.Join(read(), ","); got != "stream_engine_ready 1" {
		t.Error(got)
	}
}
