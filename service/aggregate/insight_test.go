package aggregate

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// TestInsightsAreWrittenAsDocumented holds whole records against docs/aggregation.md.
func TestInsightsAreWrittenAsDocumented(t *testing.T) {
	by := func(a *model.Aggregate) {
		a.GroupBy = []model.GroupField{{Name: "device_type", Value: model.Expression{Text: "device_type"}}, {Name: `a "name"`, Value: model.Expression{Text: "x"}}}
		a.Measures = append(a.Measures, measureOf("of x", "sum", "x"))
	}
	sessions := sessionsOf(time.Minute, time.Hour)
	by(sessions)
	for name, c := range map[string]struct {
		a                 *model.Aggregate
		group, key, value string
	}{
		"a window": {with(by), `"android","a,\"b\"\u0001"`,
			`["logins","ID","2023-11-14T22:13:00Z","2023-11-14T22:14:00Z","android","a,\"b\"\u0001"]`,
			`{"pipeline":"test","aggregate":"logins","kind":"window","window":{"start":"2023-11-14T22:13:00Z","end":"2023-11-14T22:14:00Z"},"group":{"device_type":"android","a \"name\"":"a,\"b\"\u0001"},` +
				`"measures":{"n":1,"of x":-7},"final":false,"revision":1,"updated_at":"2027-01-15T08:00:01Z"}`},
		"values that are no text": {with(by), `null,1.5`,
			`["logins","ID","2023-11-14T22:13:00Z","2023-11-14T22:14:00Z",null,1.5]`,
			`{"pipeline":"test","aggregate":"logins","kind":"window","window":{"start":"2023-11-14T22:13:00Z","end":"2023-11-14T22:14:00Z"},"group":{"device_type":null,"a \"name\"":1.5},` +
				`"measures":{"n":1,"of x":-7},"final":false,"revision":1,"updated_at":"2027-01-15T08:00:01Z"}`},
		"a window of all": {with(func(a *model.Aggregate) { a.GroupBy = nil }), ``,
			`["logins","ID","2023-11-14T22:13:00Z","2023-11-14T22:14:00Z"]`,
			`{"pipeline":"test","aggregate":"logins","kind":"window","window":{"start":"2023-11-14T22:13:00Z","end":"2023-11-14T22:14:00Z"},"group":{},"measures":{"n":1},"final":false,"revision":1,"updated_at":"2027-01-15T08:00:01Z"}`},
		"a session": {sessions, `"ios",true`,
			`["logins","ID","2023-11-14T22:13:20.005Z","2023-11-14T22:13:20.005Z","ios",true]`,
			`{"pipeline":"test","aggregate":"logins","kind":"session","window":{"start":"2023-11-14T22:13:20.005Z","end":"2023-11-14T22:13:20.005Z"},"group":{"device_type":"ios","a \"name\"":true},` +
				`"measures":{"n":1,"sum":-7,"of x":-7},"final":false,"revision":1,"updated_at":"2027-01-15T08:00:01Z"}`},
		"the overflow": {with(func(a *model.Aggregate) { by(a); a.MaxGroups = 1 }), `"a","b"`,
			`["logins","ID","2023-11-14T22:13:00Z","2023-11-14T22:14:00Z",{"other":0}]`,
			`{"pipeline":"test","aggregate":"logins","kind":"window","window":{"start":"2023-11-14T22:13:00Z","end":"2023-11-14T22:14:00Z"},"group":{"device_type":"(other)","a \"name\"":"(other)"},` +
				`"measures":{"n":1,"of x":-7},"overflow":true,"partition":0,"final":false,"revision":1,"updated_at":"2027-01-15T08:00:01Z"}`},
	} {
		r := newRig(t, c.a)
		if name == "the overflow" {
			r.add(epoch+5, `"first","first"`, 0)
		}
		r.add(epoch+5, c.group, -7)
		out, _ := r.turn()
		all := out.of(insightsTopic)
		c.key = strings.Replace(c.key, "ID", r.defs[0].ID().String(), 1)
		if got := all[len(all)-1]; got.key != c.key || got.value != c.value {
			t.Errorf("%s:\n%s\n%s\nwant\n%s\n%s", name, got.key, got.value, c.key, c.value)
		}
		if !json.Valid([]byte(c.key)) || !json.Valid([]byte(c.value)) {
			t.Errorf("%s: this is no JSON", name)
		}
	}
}

func TestGroupsAreTakenApart(t *testing.T) {
	for group, want := range map[string]string{
		"": "", "1": "1", `"a"`: `"a"`, `"a","b"`: `"a"|"b"`, `"a,b",null,"\"",true`: `"a,b"|null|"\""|true`, `"\\","x"`: `"\\"|"x"`, `"`: `"`, `"a\`: `"a\`, `1,`: `1`,
	} {
		var all []string
		for e := range elements([]byte(group)) {
			all = append(all, string(e))
		}
		if got := strings.Join(all, "|"); got != want {
			t.Errorf("%s: %s, want %s", group, got, want)
		}
	}
}

func TestNumbersAndTimesForPeople(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 431: "431", 3.14159: "3.1", 123.456: "123", 0.0123456: "0.0123", -2.5: "-2.5", 1e20: "1e+20", 100.7: "101"} {
		if got := short(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
	for want, s := range map[string][2]int64{
		"22:13-22:14": {epoch - 20_000, epoch + 40_000}, "22:13:20-22:13:21": {epoch, epoch + 1000}, "2023-11-14 00:00-2023-11-15 00:00": {1_699_920_000_000, 1_700_006_400_000},
		"23:00-00:00": {1_700_002_800_000, 1_700_006_400_000}, "2023-11-14 23:30-2023-11-15 00:30": {1_700_004_600_000, 1_700_008_200_000},
	} {
		if got := span(s[0], s[1]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for x, want := range map[float64]string{1.5: "1.5", math.Inf(1): "null", math.NaN(): "null", math.Inf(-1): "null"} {
		if got := string(appendFloat(nil, x)); got != want {
			t.Errorf("%v is %s in JSON, want %s", x, got, want)
		}
	}
	for value, want := range map[string]string{`"a\"\/\u00e9\ud83d\ude00"`: `a"/é😀`, "1.5": "1.5", "null": "null", `"`: `"`} {
		if got := plain([]byte(value)); got != want {
			t.Errorf("%s is %s, want %s", value, got, want)
		}
	}
}

// TestHighlightsAreTheLargestGroupsOfTheLatestWindow, whatever else a merge commit writes.
func TestHighlightsAreTheLargestGroupsOfTheLatestWindow(t *testing.T) {
	r := newRig(t, with(func(a *model.Aggregate) { a.Window.Grace = time.Hour }))
	for group, n := range map[string]int{`"a"`: 5, `"b"`: 9, `"c"`: 1, `"d"`: 7, `"e"`: 2} {
		for range n {
			r.add(epoch+minute, group, 0)
		}
	}
	for range 50 {
		r.add(epoch, `"old"`, 0)
	}
	_, did := r.turn()
	var all []string
	for _, h := range did.Highlights {
		all = append(all, h.String())
	}
	if got := strings.Join(all, "; "); got != "b: n 9; d: n 7; a: n 5" {
		t.Error(got)
	}
}
