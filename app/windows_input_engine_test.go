package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/model"
)

// with changes the pipeline of windows.
func (r *rig) with(old, text string) {
	r.t.Helper()
	if !strings.Contains(r.pipeline, old) {
		r.t.Fatalf("the pipeline has no %q", old)
	}
	r.pipeline = strings.Replace(r.pipeline, old, text, 1)
}

// events makes records of a user at the given numbers of steps; they are expected in the insights.
func (r *rig) events(user string, numbers ...int) (records []*kgo.Record) {
	for _, n := range numbers {
		r.want[user] = append(r.want[user], n)
		records = append(records, record(event{User: user, N: n}))
	}
	return records
}

// What comes too late for its window goes on to the output, and says where it is missing.
func TestLateEventsAreForwardedAndNamed(t *testing.T) {
	t.Parallel()
	for policy, letters := range map[string]int{"dead_letter": 2, "drop": 0} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			r := newWindowRig(t)
			r.with("window: {tumbling: 1s}", "window: {tumbling: 1s, grace: 2s}\n    late: "+policy)
			r.write(r.events("u0", 0, 10, 299, 20, 99)...) // out of order, and the first window lasts until 3 s
			late := []*kgo.Record{record(event{User: "u0", N: 30}), record(event{User: "u4", N: 98})}
			r.write(r.events("u4", 300)...)
			r.write(late...)
			r.write(r.events("u4", 100, 400)...)
			e := r.watching()
			r.caughtUp()
			r.requireFinalsStand(r.requireWindows())
			if got := r.output(); len(got["u0"]) != 6 || len(got["u4"]) != 4 {
				t.Errorf("outputs: %v", got)
			}
			for _, letter := range r.letters(letters) {
				i := slices.IndexFunc(late, func(m *kgo.Record) bool { return string(m.Value) == string(letter.Value) })
				if i < 0 || header(letter, "__connect.errors.offset") != fmt.Sprint(late[i].Offset) {
					t.Errorf("a dead letter of %s", letter.Value)
				}
				for name, want := range map[string]string{"__connect.errors.stage": "late", "__connect.errors.class.name": "late_event", "stream-engine.late-for": "users"} {
					if got := header(letter, name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			}
			e.requireCounts(10, 0)
			if n, m := e.sum("stream_engine_window_late_total"), e.metric(`stream_engine_events_total{outcome="late"}`); n != 2 || m != 2 {
				t.Errorf("%v and %v late events", n, m)
			}
		})
	}
}

// Each bad event has its dead letter, and everything around it counts.
func TestBadEventsMissNoWindowOfOthers(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("event_time: 1700000000000 + n * 10", "event_time: 'at ?? (1700000000000 + n * 10)'")
	r.with("group_by: [user]", "group_by: [user, region]")
	r.with("s: sum(n)", "s: sum(amount ?? n)")
	raw := func(text string) *kgo.Record {
		return &kgo.Record{Topic: sourceTopic, Partition: 1, Value: []byte(text)}
	}
	r.feed(30)
	bad := map[string]*kgo.Record{
		"invalid_json":       raw(`{"user":"u1",`),
		"invalid_event_time": raw(`{"user":"u1","n":1,"at":"yesterday"}`),
		"future_event_time":  raw(fmt.Sprintf(`{"user":"u1","n":1,"at":%d}`, time.Now().Add(time.Hour).UnixMilli())),
		"invalid_argument":   raw(`{"user":"u1","n":31,"amount":1e30}`),
		"expression":         raw(`{"user":"u1","n":31,"region":["x"]}`),
		"group_too_large":    raw(`{"user":"u1","n":31,"region":"` + noise(1<<20) + `"}`),
	}
	ahead := raw(`{"user":"u1","n":1}`)
	ahead.Timestamp = time.Now().Add(time.Hour)
	r.write(append(slices.Collect(maps.Values(bad)), ahead)...)
	r.feed(200)
	e := r.watching()
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	found := map[string]int{}
	for _, letter := range r.letters(len(bad) + 1) {
		found[header(letter, "__connect.errors.class.name")]++
	}
	for code := range bad {
		if found[code] == 0 {
			t.Errorf("no dead letter %s", code)
		}
	}
	if found["future_event_time"] != 2 {
		t.Errorf("%d dead letters of the future", found["future_event_time"])
	}
	e.requireCounts(230, 7)
}

// With more groups than there may be, those beyond count together and nothing is lost.
func TestGroupsBeyondTheMostCountTogether(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("max_groups: 1000", "max_groups: 4") // of 12, one in each partition
	r.feed(480)
	e := r.watching()
	r.exactlyOnce()
	var total, others int
	r.eventually("the finals of all events", func() bool {
		total, others = 0, 0
		open := false
		for _, list := range r.insights() {
			i := list[len(list)-1]
			var n int
			must(t, json.Unmarshal(i.Measures["n"], &n))
			total += n
			open = open || !i.Final
			if i.Overflow {
				others++
				if i.Group["user"] != "(other)" {
					t.Errorf("the rest is %v", i.Group)
				}
			}
		}
		return !open && total == 480
	})
	if others == 0 || e.sum("stream_engine_groups_overflow_total") == 0 {
		t.Errorf("%d insights of the rest", others)
	}
}

// The records of the insights topic are what other programs read: as they are documented, to the byte.
func TestInsightIsWhatTheDocumentationSays(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("name: engine\n", "name: user-login\n")
	r.with("group_by: [user]", `group_by: [user, {what: kind}, {half: 'kind == nil ? 50 / 1.0 : 50.5'}, {even: kind == nil}]`)
	r.with("s: sum(n)", "s: sum(n), avg: avg(n), most: max(n), last: last(user), users: distinct(user), versions: 'top(user, 3)', p: 'percentile(n, 50)', none: min(nothing)")
	r.with("max_groups: 1000", "detect: {measure: n, above: 1}")
	r.write(record(event{User: "u0", N: 20}), record(event{User: "u0", N: 100}), record(event{User: "u0", N: 100}), record(event{User: `u4"ü`, N: 101, Kind: "k,"}))
	r.watching("KAFKA_GROUP_ID=engine")
	r.caughtUp()
	got, why := map[string]string{}, ""
	r.eventually("the finals", func() bool {
		open := 0
		for key, list := range r.insights() {
			i := list[len(list)-1]
			got[key] = regexp.MustCompile(`"revision":\d+,"updated_at":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z"`).ReplaceAllString(i.document, "#")
			if !i.Final {
				open++
			}
		}
		why = fmt.Sprint(open, " open of ", got)
		return len(got) == 4 && open == 0
	}, &why)
	definition := regexp.MustCompile(`[0-9a-f]{16}`)
	want := map[string]string{
		`["users","#","2023-11-14T22:13:21Z","2023-11-14T22:13:22Z","u0",null,50,true]`: `{"pipeline":"user-login","aggregate":"users","kind":"window","window":{"start":"2023-11-14T22:13:21Z","end":"2023-11-14T22:13:22Z"},"group":{"user":"u0","what":null,"half":50,"even":true},` +
			`"measures":{"n":2,"s":200,"avg":100,"most":100,"last":"u0","users":1,"versions":[{"value":"u0","count":2}],"p":#p,"none":null},"final":true,#}`,
		`["users","#","2023-11-14T22:13:21Z","2023-11-14T22:13:22Z","u0",null,50,true,"anomaly"]`: `{"pipeline":"user-login","aggregate":"users","kind":"anomaly","window":{"start":"2023-11-14T22:13:21Z","end":"2023-11-14T22:13:22Z"},"group":{"user":"u0","what":null,"half":50,"even":true},` +
			`"anomaly":{"measure":"n","value":2,"above":1,"sentence":"n of u0, null, 50, true: 2 in 22:13:21-22:13:22, above the limit of 1"},"final":true,#}`,
		`["users","#","2023-11-14T22:13:21Z","2023-11-14T22:13:22Z","u4\"ü","k,",50.5,false]`: `{"pipeline":"user-login","aggregate":"users","kind":"window","window":{"start":"2023-11-14T22:13:21Z","end":"2023-11-14T22:13:22Z"},"group":{"user":"u4\"ü","what":"k,","half":50.5,"even":false},` +
			`"measures":{"n":1,"s":101,"avg":101,"most":101,"last":"u4\"ü","users":1,"versions":[{"value":"u4\"ü","count":1}],"p":#p,"none":null},"final":true,#}`,
	}
	p := regexp.MustCompile(`"p":(99|10[0-2])(\.\d+)?`)
	for key, document := range got {
		bare := definition.ReplaceAllString(key, "#")
		if strings.Contains(key, "22:13:20Z") { // the first window, for detect to begin with
			continue
		}
		if document = p.ReplaceAllString(document, `"p":#p`); document != want[bare] {
			t.Errorf("%s\n got %s\nwant %s", key, document, want[bare])
		}
		delete(want, bare)
	}
	for key := range want {
		t.Errorf("nothing under %s", key)
	}
}

// A topic that records would be lost in, or whose partitions would not fit, is refused at the start.
func TestTopicsThatStateWouldBeLostInEndTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		topic      string
		partitions int32
		policy     string
	}{
		"partials that are compacted":           {partialsTopic, 4, "compact"},
		"a changelog with another number":       {changelogTopic, 3, "compact"},
		"a changelog that is deleted":           {changelogTopic, 4, "delete"},
		"insights with another number":          {insightsTopic, 1, "compact,delete"},
		"insights that are not compacted":       {insightsTopic, 4, "delete"},
		"a changelog that is also deleted from": {changelogTopic, 4, "compact,delete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newWindowRig(t)
			r.create(c.topic, c.partitions, "cleanup.policy", c.policy)
			e := r.watching()
			e.requireEnded(model.Misconfigured) // exit code 2
			if err := e.stop(); err == nil || !strings.Contains(err.Error(), c.topic) {
				t.Errorf("the error does not name %s: %v", c.topic, err)
			}
		})
	}
}

// The state of one group may be larger than what a topic takes by default: whoever fills it with long texts must not stop
// the stream.
func TestStatesOfMegabytesAreWritten(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("s: sum(n)", "s: sum(n), pads: 'top(pad, 100)', more: 'top(\"b\" + pad, 100)'")
	r.with("group_by: [user]", "group_by: [{user: kind}]")
	var records []*kgo.Record
	for n := range 800 {
		records = append(records, record(event{User: "u1", N: n % 90, Kind: "k", Pad: fmt.Sprintf("a%04d%s", n, noise(1000))}))
	}
	r.write(records...)
	e := r.watching()
	r.caughtUp()
	r.eventually("the final", func() bool { return e.metric(`stream_engine_insights_total{kind="final"}`) == 1 })
	for _, list := range r.insights() {
		if i := list[len(list)-1]; string(i.Measures["n"]) != "800" || !i.Final {
			t.Errorf("%.200s", i)
		}
	}
	largest := 0
	for _, m := range r.committed(changelogTopic) {
		largest = max(largest, len(m.Value))
	}
	if largest < 1<<20 {
		t.Errorf("the largest state has %d bytes", largest)
	}
	must(t, e.stop())
	restored := r.watching()
	r.eventually("its windows", func() bool { return restored.ready() && restored.says("restored windows", `"groups":1`) })
}
