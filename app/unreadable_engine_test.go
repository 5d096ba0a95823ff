package app_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// damaged is text in the value of an event whose batch the wire damages.
const damaged = "bits that flip"

// damage flips a bit of the batch that holds the text, in the first n answers that have it. It returns how many had.
func (r *rig) damage(n int64) *atomic.Int64 {
	var times atomic.Int64
	r.wire.on(kmsg.Fetch, func(int) deed {
		return deed{rewrite: func(p []byte) {
			if i := bytes.Index(p, []byte(damaged)); i >= 0 && times.Add(1) <= n {
				p[i] ^= 1
			}
		}}
	})
	return &times
}

// around writes a batch of three events, one of them as it is given, between others of its partition, which is 0.
func (r *rig) around(odd event) (first int64) {
	r.t.Helper()
	r.feed(2 * users)
	batch := []*kgo.Record{record(event{User: "u0", N: -1}), record(odd), record(event{User: "u4", N: -2})}
	r.write(batch...)
	r.feed(2 * users)
	return batch[0].Offset
}

func TestBatchThatWasDamagedOnTheWayIsFetchedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	times := r.damage(2)
	r.around(event{User: "u8", N: -3, Pad: damaged})
	e := r.start()
	for user, n := range map[string]int{"u0": -1, "u8": -3, "u4": -2} {
		r.want[user] = slices.Insert(r.want[user], 2, n)
	}
	r.exactlyOnce()
	if n := times.Load(); n != 3 {
		t.Errorf("fetched %d times", n)
	}
	r.letters(0)
	e.requireCounts(4*users+3, 0)
}

func TestBatchThatStaysUnreadableBecomesOneDeadLetterThatNamesItsOffsets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	times := r.damage(1 << 30)
	first := r.around(event{User: "u8", N: -3, Pad: damaged})
	e := r.start()
	r.exactlyOnce()
	if n := times.Load(); n != 3 {
		t.Errorf("fetched %d times", n)
	}
	r.requireRange(first, "crc_mismatch")
	e.requireCounts(4*users, 1)
	if n := e.metric(`kafka_consumergroup_lag{consumergroup="engine",partition="0",topic="in"}`); n != 0 {
		t.Errorf("%v messages behind", n)
	}
	if !e.says(`"topic":"in"`, `"partition":0`, `"offset":`+strconv.FormatInt(first, 10), `"last_offset":`+strconv.FormatInt(first+2, 10), `"level":"error"`) {
		t.Error("the log does not name the offsets")
	}
}

// requireRange looks at the one dead letter, of three messages of partition 0.
func (r *rig) requireRange(first int64, code string) {
	r.t.Helper()
	letter := r.letters(1)[0]
	if letter.Key != nil || letter.Value != nil {
		r.t.Errorf("key %q, value %.50q", letter.Key, letter.Value)
	}
	for name, want := range map[string]string{"__connect.errors.topic": sourceTopic, "__connect.errors.partition": "0", "__connect.errors.offset": strconv.FormatInt(first, 10),
		"stream-engine.last-offset": strconv.FormatInt(first+2, 10), "__connect.errors.stage": "decode", "__connect.errors.class.name": code} {
		if got := header(letter, name); got != want {
			r.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// What inflates beyond MAX_BATCH_BYTES does so every time.
func TestBatchThatInflatesTooFarBecomesADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var times atomic.Int64
	first := r.around(event{User: "u8", N: -3, Pad: strings.Repeat("z", 2<<20)}) // kgo compresses with snappy
	r.fake.Control(func(q kmsg.Request) (kmsg.Response, error, bool) {
		if f, ok := q.(*kmsg.FetchRequest); ok {
			for _, topic := range f.Topics {
				if slices.ContainsFunc(topic.Partitions, func(p kmsg.FetchRequestTopicPartition) bool { return p.Partition == 0 && p.FetchOffset == first }) {
					times.Add(1)
				}
			}
		}
		return nil, nil, false
	})
	e := r.start("MAX_BATCH_BYTES=1MiB", "KAFKA_FETCH_MAX_BYTES=1MiB")
	r.exactlyOnce()
	r.requireRange(first, "too_large_decompressed")
	e.requireCounts(4*users, 1)
	if n := times.Load(); n > 1 {
		t.Errorf("fetched %d times more", n)
	}
}
