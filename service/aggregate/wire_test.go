package aggregate

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"data-stream-engine/model"
)

// damaged is what may stand in a topic: records of ours, with bytes that were changed.
func damaged(f *testing.F) (partials, changelog [][]byte) {
	r := newRig(f, mixture()...)
	rng := rand.New(rand.NewPCG(1, 5))
	for n := range int64(5) {
		r.some(rng, epoch+n*60_000)
		for _, p := range r.partials() {
			if len(partials) < 30 || len(p) < 30 {
				partials = append(partials, p)
			}
			if err := r.part.Take(p); err != nil {
				f.Fatal(err)
			}
		}
		out, _ := r.turn()
		for _, c := range out.of(changelogTopic) {
			changelog = append(changelog, []byte(c.key), []byte(c.value))
		}
	}
	return partials, changelog
}

// FuzzTake: bytes that nobody of us has written are refused, change nothing, and do not stop what comes behind them.
func FuzzTake(f *testing.F) {
	all, _ := damaged(f)
	for _, b := range all {
		f.Add(b)
	}
	f.Add([]byte{format, kindProgress, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(appendPartialHead(nil, 1, true, math.MinInt64, math.MaxInt64, nil))
	r := newRig(f, mixture()...)
	r.add(epoch, `"a"`, 1)
	own := r.partials()
	f.Fuzz(func(t *testing.T, record []byte) {
		p := NewPartition(0, 1)
		for _, b := range own {
			if err := p.Take(b); err != nil {
				t.Fatal(err)
			}
		}
		before, ahead := content(p), fmt.Sprint(p.ahead)
		if p.Expect(append([][]byte{bytes.Clone(record)}, own...)); content(p) != before || fmt.Sprint(p.ahead) != ahead {
			t.Error("to expect records has changed the state")
		}
		if err := p.Take(bytes.Clone(record)); err != nil && (content(p) != before || fmt.Sprint(p.ahead) != ahead) {
			t.Errorf("%v, and the state has changed", err)
		}
		var out records
		p.Commit(Tick{Now: time.UnixMilli(epoch), Sources: 1, CaughtUp: true, Budget: 100, MaxBytes: 1 << 20}, &out)
		p.Confirm()
		q := NewPartition(0, 1)
		for _, c := range out.of(changelogTopic) {
			if c.tombstone {
				continue
			}
			if err := q.Restore([]byte(c.key), []byte(c.value)); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
		}
		if err := q.Restored(); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

// FuzzRestore: a changelog that somebody else has written to is refused, or is one that can be gone on with.
func FuzzRestore(f *testing.F) {
	_, all := damaged(f)
	for i := 0; i < len(all); i += 2 {
		f.Add(all[i], all[i+1], i%4 == 0)
	}
	var definitions [][]byte
	for i := 0; i < len(all); i += 2 {
		if all[i][1] == keyDefinition {
			definitions = append(definitions, all[i], all[i+1])
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte, tombstone bool) {
		p := NewPartition(0, 1)
		for i := 0; i < len(definitions); i += 2 {
			if err := p.Restore(definitions[i], definitions[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if tombstone {
			value = nil
		}
		if p.Restore(key, value) != nil || p.Restored() != nil {
			return
		}
		p.Needed(Tick{Sources: 1, CaughtUp: true})
		p.Commit(Tick{Sources: 1, CaughtUp: true, Budget: 100, MaxBytes: 1 << 20}, nowhere{})
		p.Bytes()
		p.Groups()
	})
}

func TestProgressIsReadAsItWasWritten(t *testing.T) {
	for _, want := range []Progress{
		{Partition: 3, Epoch: 7, From: 10, To: 20, Watermark: epoch, Idle: true}, {Watermark: NoWatermark}, {Partition: math.MaxInt32, Epoch: math.MaxUint32, To: math.MaxInt64, Watermark: -1},
	} {
		d := decoder{rest: want.append(nil)}
		var got Progress
		if got.read(&d); got != want || d.bad || len(d.rest) > 0 {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestProgressThatCannotBeIsRefused(t *testing.T) {
	for name, q := range map[string]Progress{
		"a negative partition": {Partition: -1}, "a negative offset": {From: -5, To: 3}, "an end before its beginning": {From: 5, To: 3}, "a time out of reach": {Watermark: math.MaxInt64 - 1},
	} {
		p := NewPartition(0, 1)
		if err := p.Take(q.append([]byte{format, kindProgress})); err == nil || len(p.ahead) > 0 {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestMeasuresThatAreNoneAreRefused(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x")))
	r.turn()
	s := r.part.order[0]
	low, high := s.names[0].id, s.names[1].id
	if low > high {
		low, high = high, low
	}
	for name, c := range map[string]struct {
		measures []byte
		good     bool
	}{
		"two": {appendMeasure(appendMeasure(nil, low, nil), high, nil), true}, "one": {appendMeasure(nil, high, nil), true}, "none": {nil, true},
		"in disorder": {appendMeasure(appendMeasure(nil, high, nil), low, nil), false}, "one twice": {appendMeasure(appendMeasure(nil, low, nil), low, nil), false},
		"unknown": {appendMeasure(nil, 1, nil), false}, "cut short": {appendMeasure(nil, low, []byte{1})[:5], false}, "no state of it": {appendMeasure(nil, low, []byte{0, 0}), false},
	} {
		if err := s.functions.check(c.measures); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		record := append(appendPartialHead(nil, s.def.ID(), false, 1_699_999_980_000, 0, nil), c.measures...)
		if err := r.part.Take(record); (err == nil) != c.good {
			t.Errorf("%s, as a partial: %v", name, err)
		}
	}
	if v, err := parseValue([]byte{0, 1}); err == nil {
		t.Errorf("a value that is cut short: %+v", v)
	}
	if v, err := parseValue([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}); err == nil {
		t.Errorf("a session of negative length: %+v", v)
	}
}

// TestDamagedHistoryIsRefused: it might keep looking for silence busy for years.
func TestDamagedHistoryIsRefused(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 3}))
	r.minutes(0, 1, 5, 5)
	s := r.part.order[0]
	key := func(group string) []byte { return append(s.history.appendKey(nil), group...) }
	good := (&past{windows: 3, last: epoch}).append(nil)
	for name, c := range map[string]struct {
		group string
		value []byte
		good  bool
	}{
		"a history": {`"c"`, good, true}, "one that is cut short": {`"c"`, good[:len(good)-1], false}, "one of a time out of reach": {`"c"`, (&past{last: 1 << 60}).append(nil), false},
		"what was looked at last": {begun, appendJudged(nil, 1, epoch), true}, "that, cut short": {begun, appendJudged(nil, 1, epoch)[:5], false}, "that, out of reach": {begun, appendJudged(nil, 1, 1<<60), false},
	} {
		p := r.restored()
		if err := p.Restore(key(c.group), c.value); err != nil {
			t.Fatal(err)
		}
		p.order[0].index = p.order[0].newShelf(0, 0)
		if err := p.Restored(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordsOfALaterFormatAreRefused(t *testing.T) {
	p := NewPartition(0, 1)
	for _, b := range [][]byte{nil, {format}, {format + 1, kindProgress}, {format, 'z'}} {
		if err := p.Take(b); err == nil {
			t.Errorf("% x: taken", b)
		}
	}
	for _, key := range [][]byte{nil, {format}, {format + 1, keyMeta}} {
		if err := p.Restore(key, []byte{format}); err == nil {
			t.Errorf("% x: restored", key)
		}
	}
}

// TestPartitionOfAGroupIsPartOfTheFormat: instances of all versions have to agree.
func TestPartitionOfAGroupIsPartOfTheFormat(t *testing.T) {
	for _, c := range []struct {
		name, group string
		of          int32
		want        int32
	}{
		{"logins", `"android","RU"`, 16, 6}, {"logins", `"ios","RU"`, 16, 8}, {"logins", "", 16, 14}, {"logins", "null", 3, 2}, {"l", `ogins"android","RU"`, 16, 13}, {"logins", `"android","RU"`, 1, 0},
	} {
		if got := partitionOf(c.name, []byte(c.group), c.of); got != c.want {
			t.Errorf("%s %s of %d: %d, want %d", c.name, c.group, c.of, got, c.want)
		}
	}
	var spread [16]int
	for i := range 16_000 {
		spread[partitionOf("logins", fmt.Appendf(nil, `"user-%d"`, i), 16)]++
	}
	for n, has := range spread {
		if has < 800 || has > 1200 {
			t.Errorf("partition %d has %d of 16000 groups", n, has)
		}
	}
}
