package generator

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func config(seed uint64) Config {
	c := Default()
	c.Seed, c.Start, c.Step = seed, time.Unix(1_700_000_000, 0).UTC(), 10*time.Millisecond
	return c
}

// many makes n events, each with a value of its own.
func many(c Config, n int) []Event {
	g := New(c)
	events := make([]Event, n)
	for i := range events {
		events[i] = g.Next(nil)
	}
	return events
}

func TestSameSeedMakesTheSameEvents(t *testing.T) {
	a, b, other := many(config(1), 5000), many(config(1), 5000), many(config(2), 5000)
	same := 0
	for i := range a {
		if !bytes.Equal(a[i].Value, b[i].Value) || !bytes.Equal(a[i].Key, b[i].Key) || !a[i].Time.Equal(b[i].Time) || a[i].Kind != b[i].Kind {
			t.Fatalf("event %d differs: %s and %s", i, a[i].Value, b[i].Value)
		}
		if bytes.Equal(a[i].Value, other[i].Value) {
			same++
		}
	}
	if same > 50 {
		t.Errorf("another seed made %d of 5000 events the same", same)
	}
}

func TestEventsAreWhatTheirKindSays(t *testing.T) {
	seen := map[Kind]int{}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	c := config(3)
	c.Broken = 0.05
	for _, e := range many(c, 50_000) {
		seen[e.Kind]++
		var o map[string]any
		err := json.Unmarshal(e.Value, &o)
		switch e.Kind {
		case Truncated:
			if json.Valid(e.Value) {
				t.Fatalf("truncated and yet valid: %s", e.Value)
			}
			continue
		case NotAnObject:
			if !json.Valid(e.Value) || e.Value[0] == '{' {
				t.Fatalf("should be valid JSON and no object: %s", e.Value)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v: %s", e.Kind, err, e.Value)
		}
		id, _ := o["user_id"].(string)
		if (e.Kind == NoUser) != (id == "") || (e.Kind == NoUser) != (e.Key == nil) || id != "" && (!uuid.MatchString(id) || id != string(e.Key)) {
			t.Fatalf("%s: user %q, key %q", e.Kind, id, e.Key)
		}
		device, has := o["device_type"]
		if has == (e.Kind == NoDevice) || has && slices.Contains([]any{"android", "iOS"}, device) == (e.Kind == OtherDevice) {
			t.Fatalf("%s: device_type %v", e.Kind, device)
		}
		ip, _ := o["ip"].(string)
		if _, err := netip.ParseAddr(ip); (err != nil) != (e.Kind == BadIP) {
			t.Fatalf("%s: ip %q", e.Kind, ip)
		}
		for _, name := range []string{"app_version", "locale", "device_id", "timestamp"} {
			if o[name] == nil || o[name] == "" {
				t.Fatalf("%s: no %s in %s", e.Kind, name, e.Value)
			}
		}
	}
	for k := range kinds {
		if seen[k] == 0 {
			t.Errorf("no event is %s", k)
		}
	}
}

func TestSharesAreThoseOfTheConfig(t *testing.T) {
	const n = 400_000
	counts := map[Kind]float64{}
	for _, e := range many(config(4), n) {
		k := e.Kind
		if k.Broken() {
			k = Truncated
		}
		counts[k]++
	}
	for k, want := range map[Kind]float64{OtherDevice: 0.05, NoDevice: 0.02, NoUser: 0.01, Truncated: 0.001} {
		if got := counts[k] / n; got < want*0.8 || got > want*1.2 {
			t.Errorf("%s: share %.5f, want about %.5f", k, got, want)
		}
	}
	c := config(4)
	c.OtherDevice, c.NoDevice, c.NoUser, c.Broken = 0, 0, 0, 0
	for _, e := range many(c, 10_000) {
		if e.Kind != Login {
			t.Fatalf("%s, though every share is 0", e.Kind)
		}
	}
}

func TestLooksAsRealEventsDo(t *testing.T) {
	orders, numbers, texts := map[string]int{}, 0, 0
	key := regexp.MustCompile(`"([a-z_]+)": `)
	for _, e := range many(config(5), 20_000) {
		if e.Kind != Login {
			continue
		}
		text := string(e.Value)
		if strings.Count(text, `", "`) < 5 || strings.Contains(text, `":"`) {
			t.Fatalf("separators of %s", text)
		}
		var order []string
		for _, m := range key.FindAllStringSubmatch(text, -1) {
			order = append(order, m[1])
		}
		orders[strings.Join(order, ",")]++
		if strings.Contains(text, `"timestamp": "`) {
			texts++
		} else {
			numbers++
		}
	}
	if len(orders) != clients {
		t.Errorf("%d different orders of keys, want one for each of %d clients", len(orders), clients)
	}
	if texts < numbers/6 || texts > numbers {
		t.Errorf("%d times as strings, %d as numbers", texts, numbers)
	}
}

func TestTimesFollowTheConfig(t *testing.T) {
	c := config(6)
	for i, e := range many(c, 5000) {
		place := c.Start.Add(time.Duration(i) * c.Step)
		if e.Time.After(place) || place.Sub(e.Time) > c.MaxDelay {
			t.Fatalf("event %d is at %s, its place is %s", i, e.Time, place)
		}
	}
	c.Disorder = 0
	g := New(c)
	g.Next(nil)
	g.Seek(c.Start.Add(time.Hour))
	if e := g.Next(nil); !e.Time.Equal(c.Start.Add(time.Hour)) {
		t.Errorf("after Seek the event is at %s", e.Time)
	}
}

func TestNextAppends(t *testing.T) {
	a, b := New(config(7)), New(config(7))
	for range 2000 {
		plain, appended := a.Next(nil), b.Next([]byte("before"))
		if "before"+string(plain.Value) != string(appended.Value) {
			t.Fatalf("%s: %q and %q", plain.Kind, plain.Value, appended.Value)
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	g := New(config(8))
	buffer := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(1000, func() { g.Next(buffer) }); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkNext(b *testing.B) {
	g := New(config(9))
	buffer := make([]byte, 0, 512)
	bytes := 0
	for b.Loop() {
		bytes += len(g.Next(buffer).Value)
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "B/event")
}
