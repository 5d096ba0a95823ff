package service

import (
	"testing"
	"time"
)

func TestDurationsAreReadAndWrittenAsPeopleDo(t *testing.T) {
	for text, want := range map[string]struct {
		d    time.Duration
		text string
	}{
		"500ms": {500 * time.Millisecond, "500ms"}, "90s": {90 * time.Second, "1m30s"}, "60m": {time.Hour, "1h"}, "0s": {0, "0s"}, "0d": {0, "0s"}, "1.5h": {90 * time.Minute, "1h30m"},
		"7d": {7 * day, "7d"}, "1d12h": {36 * time.Hour, "36h"}, "1d0h": {day, "1d"}, "99999d": {99_999 * day, "99999d"}, "1h0m5s": {time.Hour + 5*time.Second, "1h0m5s"}, "10m": {10 * time.Minute, "10m"},
	} {
		d, ok := durationOf(text)
		if !ok || d != want.d || durationText(d) != want.text {
			t.Errorf("%s is %d, %t, written %s", text, d, ok, durationText(d))
		}
		if again, ok := durationOf(durationText(d)); !ok || again != d {
			t.Errorf("%s is written %s, which is %d", text, durationText(d), again)
		}
	}
	for _, text := range []string{"", "5", "s", "d", "-5s", "+5s", "5 s", "5w", "1h1d", "100000d", "99999d2000000h", "1d-5h", "9999999999h", ".5s", "1.s", "5m\n"} {
		if d, ok := durationOf(text); ok {
			t.Errorf("%q is %s", text, d)
		}
	}
}

func TestNumbersAreDecimal(t *testing.T) {
	for text, want := range map[string]float64{"5": 5, "-0.5": -0.5, ".5": 0.5, "1e6": 1e6, "+3": 3, "1.5E-2": 0.015, "007": 7} {
		if x, ok := numberOf(text); !ok || x != want {
			t.Errorf("%s is %g, %t", text, x, ok)
		}
	}
	for _, text := range []string{"", "inf", ".inf", "nan", "1e999", "0x10", "1_000", "1.", "a", "1 ", "- 1"} {
		if x, ok := numberOf(text); ok {
			t.Errorf("%q is %g", text, x)
		}
	}
}
