package aggregate

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// desk is an announcer with two sources, whose records are written down: "0:d" is a definition for partition 0, "1:p" a
// partial for 1, "0:[...]" a progress record.
type desk struct {
	*Announcer
	sources []*Source
	now     time.Time
}

func newDesk() *desk {
	d := &desk{sources: []*Source{{Partition: 0, Watermark: NoWatermark, Position: 5}, {Partition: 3, Watermark: epoch, Position: 7, Idle: true}}, now: time.UnixMilli(1_800_000_000_000)}
	def := NewDefinition("p", aggregateOf(measureOf("n", "count", "")))
	d.Announcer = NewAnnouncer([]*Definition{def}, d.sources, 2, time.Second, 30*time.Second, d.now)
	return d
}

func (d *desk) read(n int, to int64) {
	d.sources[n].Position = to
	d.Read(d.sources[n], d.now)
}

// close closes a transaction with a partial for each of some partitions.
func (d *desk) close(partials ...int32) (text string, said bool) {
	var all []string
	flush := func(write func(int32, []byte)) {
		for _, p := range partials {
			write(p, []byte{format, kindPartial})
		}
	}
	said = d.Close(d.now, flush, func(p int32, b []byte) {
		what := string(b[1])
		if b[1] == kindProgress {
			what = ""
			for r := (decoder{rest: b[2:]}); len(r.rest) > 0; {
				var q Progress
				q.read(&r)
				what += fmt.Sprintf("[%d: %d-%d]", q.Partition, q.From, q.To)
				if q.Idle {
					what += "idle"
				}
			}
		}
		all = append(all, fmt.Sprintf("%d:%s", p, what))
	})
	return strings.Join(all, " "), said
}

func (d *desk) expect(t *testing.T, what, want string, partials ...int32) {
	t.Helper()
	got, said := d.close(partials...)
	if got != want || said != (want != "") {
		t.Errorf("%s: %s (%v), want %s", what, got, said, want)
	}
}

func TestPartialsStandBetweenDefinitionsAndProgress(t *testing.T) {
	d := newDesk()
	d.read(0, 6)
	d.expect(t, "the first transaction", "1:d 1:p 0:d 0:[0: 5-6][3: 7-7]idle 1:[0: 5-6][3: 7-7]idle", 1)
	d.read(0, 9)
	d.expect(t, "the next one, soon", "0:p 0:p 0:[0: 6-9][3: 7-7]idle", 0, 0)
	d.read(0, 10)
	d.expect(t, "one without partials", "")
	d.now = d.now.Add(time.Second)
	d.read(0, 12)
	d.expect(t, "after the interval", "1:p 0:[0: 10-12][3: 7-7]idle 1:[0: 10-12][3: 7-7]idle", 1)
}

func TestNothingNewIsNotSaid(t *testing.T) {
	d := newDesk()
	d.expect(t, "the first transaction", "0:d 0:[0: 5-5][3: 7-7]idle 1:d 1:[0: 5-5][3: 7-7]idle")
	d.now = d.now.Add(time.Hour)
	if d.Due(d.now) {
		t.Error("due")
	}
	d.expect(t, "nothing", "")
	d.sources[0].Watermark = epoch // an event that counts nowhere
	d.expect(t, "a watermark", "0:[0: 5-5][3: 7-7]idle 1:[0: 5-5][3: 7-7]idle")
}

// TestAllHearAtOnceThatASourceIsNotIdle: windows might close without its events.
func TestAllHearAtOnceThatASourceIsNotIdle(t *testing.T) {
	d := newDesk()
	d.close()
	d.read(1, 8)
	d.expect(t, "it wakes up", "0:p 0:[0: 5-5][3: 7-8] 1:[0: 5-5][3: 7-8]", 0)
}

func TestIdleIsWhoHadNoEventForTheTimeout(t *testing.T) {
	d := newDesk()
	s := d.sources[0]
	d.now = d.now.Add(20 * time.Second)
	d.Quiet(s, d.now)
	if s.Idle {
		t.Error("idle after 20 s")
	}
	d.Behind(s, d.now) // for a moment it could not be read
	d.now = d.now.Add(29 * time.Second)
	if d.Quiet(s, d.now); s.Idle {
		t.Error("idle, though it was behind 29 s ago")
	}
	d.now = d.now.Add(time.Second)
	if d.Quiet(s, d.now); !s.Idle {
		t.Error("not idle")
	}
	if d.read(0, 6); s.Idle {
		t.Error("idle with an event")
	}
	d.now = d.now.Add(29 * time.Second)
	if d.Quiet(s, d.now); s.Idle {
		t.Error("idle 29 s after an event")
	}
}

func TestWatermarkIsNotAheadOfTheRecord(t *testing.T) {
	s := &Source{Watermark: NoWatermark}
	if s.Seen(5, 0); s.Watermark != 0 {
		t.Errorf("5 of a record of 0: %d", s.Watermark)
	}
	for _, c := range []struct{ time, stamp, want int64 }{{10, 20, 10}, {50, 30, 30}, {25, 60, 30}, {40, -1, 40}} {
		if s.Seen(c.time, c.stamp); s.Watermark != c.want {
			t.Errorf("%d of a record of %d: %d, want %d", c.time, c.stamp, s.Watermark, c.want)
		}
	}
}

func TestLowestWatermarkOfThoseThatAreNotIdle(t *testing.T) {
	at := time.UnixMilli(0)
	for name, c := range map[string]struct {
		all  []Progress
		of   int32
		want int64
	}{
		"the lowest":                        {[]Progress{{Watermark: 7}, {Partition: 1, Watermark: 3}}, 2, 3},
		"one is idle":                       {[]Progress{{Watermark: 7}, {Partition: 1, Watermark: 3, Idle: true}}, 2, 7},
		"one was never heard of":            {[]Progress{{Watermark: 7}}, 2, NoWatermark},
		"one had no event yet":              {[]Progress{{Watermark: 7}, {Partition: 1, Watermark: NoWatermark}}, 2, NoWatermark},
		"one had no event yet, and is idle": {[]Progress{{Watermark: 7}, {Partition: 1, Watermark: NoWatermark, Idle: true}}, 2, 7},
		"all are idle":                      {[]Progress{{Watermark: 7, Idle: true}, {Partition: 1, Watermark: 3, Idle: true}}, 2, 7},
		"none has an event":                 {[]Progress{{Watermark: NoWatermark, Idle: true}}, 1, NoWatermark},
		"there is none":                     {nil, 0, NoWatermark},
	} {
		all := map[int32]Progress{}
		for _, p := range c.all {
			all[p.Partition] = p
		}
		var i idleness
		if got := i.watermark(NoWatermark, all, c.of, at, true); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestTimeGoesOnWhenAllAreIdle, from the highest watermark, as long as nothing is left to merge.
func TestTimeGoesOnWhenAllAreIdle(t *testing.T) {
	idle, awake := map[int32]Progress{0: {Watermark: 1000, Idle: true}}, map[int32]Progress{0: {Watermark: 1000}}
	var i idleness
	now := time.UnixMilli(1_800_000_000_000)
	for n, step := range []struct {
		after    time.Duration
		all      map[int32]Progress
		caughtUp bool
		want     int64
	}{
		{0, awake, true, 1000}, {time.Minute, awake, true, 1000},
		{time.Second, idle, true, 2000}, {time.Second, idle, true, 3000}, {time.Hour, idle, false, 3000}, {time.Second, idle, true, 4000},
		{time.Second, awake, true, 1000}, {time.Second, idle, true, 2000},
	} {
		if now = now.Add(step.after); i.watermark(NoWatermark, step.all, 1, now, step.caughtUp) != step.want {
			t.Errorf("step %d: %d, want %d", n, i.watermark(NoWatermark, step.all, 1, now, step.caughtUp), step.want)
		}
	}
}

// TestTimeGoesOnWithAnotherOwner: with every assignment, windows would stay open for longer.
func TestTimeGoesOnWithAnotherOwner(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	for name, c := range map[string]struct {
		before, want int64
		all          map[int32]Progress
	}{
		"time had gone on":    {5000, 6000, map[int32]Progress{0: {Watermark: 1000, Idle: true}}},
		"it had not":          {700, 2000, map[int32]Progress{0: {Watermark: 1000, Idle: true}}},
		"there is no event":   {NoWatermark, NoWatermark, map[int32]Progress{0: {Watermark: NoWatermark, Idle: true}}},
		"there was no commit": {NoWatermark, 2000, map[int32]Progress{0: {Watermark: 1000, Idle: true}}},
	} {
		var i idleness
		i.watermark(c.before, c.all, 1, now, true)
		if got := i.watermark(c.before, c.all, 1, now.Add(time.Second), true); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
