package harness

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Traffic makes logins that have a time and a partition of their own: mostly in time and out of order, some on the border
// of windows, some too late, some ahead, and now and then a partition that is quiet for a while. One seed makes one
// traffic, as far as the clock is the same.
type Traffic struct {
	Users        int
	LongestQuiet time.Duration

	mu         sync.Mutex
	random     *rand.Rand
	now        func() time.Time
	partitions int32
	quiet      map[int32]time.Time // until when
	front      map[int32]int64     // the watermark
	seq        int
	kinds      map[string]int
}

// NewTraffic is for that many partitions. The clock never goes back.
func NewTraffic(seed uint64, partitions int32, now func() time.Time) *Traffic {
	return &Traffic{
		Users: 100, LongestQuiet: 5 * time.Second, random: rand.New(rand.NewPCG(seed, 3)), now: now, partitions: partitions,
		quiet: map[int32]time.Time{}, front: map[int32]int64{}, kinds: map[string]int{},
	}
}

// Spread sends to that many partitions from now on.
func (t *Traffic) Spread(partitions int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partitions = partitions
}

// Kinds says what was made so far.
func (t *Traffic) Kinds() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.kinds[kind], kind))
	}
	return strings.Join(parts, ", ")
}

// Next is one event with its partition and its timestamp.
func (t *Traffic) Next() *kgo.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	now := t.now()
	r := &kgo.Record{Partition: t.partition(now), Timestamp: now.Add(-t.upTo(300 * time.Millisecond))}
	at, calm, kind := t.time(now)
	if front, ok := t.front[r.Partition]; ok && t.random.IntN(50) == 0 { // a session's grace, and a millisecond to both sides
		at, calm, kind = time.UnixMilli(front-1001+t.random.Int64N(3)), false, "a second behind the watermark"
	}
	price := t.price()
	switch n := t.random.IntN(1000); {
	case kind == "near" && n < 4:
		price, kind = `"free"`, "refused by a sum"
	case kind == "near" && n < 8:
		at, kind = now.Add(11*time.Minute), "too far ahead"
	}
	t.kinds[kind]++
	user := t.user(now)
	if kind == "on a border" { // of users whose sessions have gaps of exactly so many half seconds
		user = "pulse-" + strconv.Itoa(t.random.IntN(24))
	}
	r.Key = []byte(user)
	r.Value = t.login(user, at, price, calm)
	if t.random.IntN(150) == 0 {
		t.kinds["broken"]++
		r.Value = [][]byte{nil, {}, []byte(`[1]`), r.Value[:len(r.Value)/2]}[t.random.IntN(4)]
	}
	if j := (Judge{Refuse: RefusedByTraffic}).Of(r); j.Timed {
		t.front[r.Partition] = max(t.front[r.Partition], min(j.At, r.Timestamp.UnixMilli()))
	}
	return r
}

func (t *Traffic) upTo(d time.Duration) time.Duration {
	return time.Duration(t.random.Int64N(int64(d)))
}

// partition is one that is not quiet. There is always one that is not.
func (t *Traffic) partition(now time.Time) int32 {
	maps.DeleteFunc(t.quiet, func(_ int32, until time.Time) bool { return now.After(until) })
	for {
		q := t.random.Int32N(t.partitions)
		if _, is := t.quiet[q]; is {
			continue
		}
		if t.random.IntN(2000) == 0 && len(t.quiet)+1 < int(t.partitions) {
			t.quiet[q] = now.Add(t.upTo(t.LongestQuiet))
			t.kinds["quiet times of a partition"]++
			continue
		}
		return q
	}
}

// time is that of an event. Calm ones are less than a second behind the clock, and so behind any watermark.
func (t *Traffic) time(now time.Time) (at time.Time, calm bool, kind string) {
	switch n := t.random.IntN(100); {
	case n < 84:
		return now.Add(-t.upTo(800 * time.Millisecond)), true, "near"
	case n < 88:
		return now.Add(-t.upTo(500 * time.Millisecond)).Truncate(500 * time.Millisecond), true, "on a border"
	case n < 96:
		return now.Add(-time.Second - t.upTo(7*time.Second)), false, "seconds behind"
	case n < 98:
		return now.Add(-20*time.Second - t.upTo(40*time.Second)), false, "far behind"
	}
	return now.Add(t.upTo(3 * time.Second)), true, "ahead"
}

// user is one of a quarter of the users: each quarter comes for three seconds and stays away for nine.
func (t *Traffic) user(now time.Time) string {
	quarter := int(now.UnixMilli() / 3000 % 4)
	return "user-" + strconv.Itoa(4*t.random.IntN(max(t.Users/4, 1))+quarter)
}

// price has few digits, so that float64 holds its decimals.
func (t *Traffic) price() string {
	cents := t.random.IntN(20000) - 2000
	switch t.random.IntN(10) {
	case 0:
		return "null"
	case 1:
		return strconv.Itoa(cents)
	case 2:
		return fmt.Sprintf("%d.%06d", t.random.IntN(1000), t.random.IntN(1000000))
	}
	return strconv.FormatFloat(float64(cents)/100, 'f', -1, 64)
}

// login is the value of an event. One of sixteen is not for the output.
func (t *Traffic) login(user string, at time.Time, price string, calm bool) []byte {
	device := []string{`"android"`, `"iOS"`}[t.random.IntN(2)]
	if t.random.IntN(16) == 0 {
		device = `"web"`
		t.kinds["filtered"]++
	}
	locale := []string{`"RU"`, `"DE"`, `"de-\"AT\""`, `"日本"`, `"a,b"`, `"[\"x\"]"`, `""`, `null`, `"null"`, `"line\nbreak \u0000 \u2028 <&>"`}[t.random.IntN(10)]
	// A value between 1 and 1000, most of them small.
	latency := 1 + t.random.IntN(1+t.random.IntN(1000))
	return fmt.Appendf(nil, `{"user_id":%q,"seq":%d,"app_version":"2.3.%d","device_type":%s,"locale":%s,"ip":"10.%d.%d.7","device_id":"593-47-%04d",`+
		`"timestamp":%s,"price":%s,"latency":%d,"calm":%t}`,
		user, t.seq, t.random.IntN(1+t.random.IntN(20)), device, locale, t.random.IntN(256), t.random.IntN(256), t.random.IntN(10000),
		t.timestamp(at), price, latency, calm)
}

// timestamp is in one of the forms that the pipeline reads.
func (t *Traffic) timestamp(at time.Time) string {
	switch t.random.IntN(4) {
	case 0:
		return strconv.Quote(at.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	case 1:
		return strconv.Quote(strconv.FormatInt(at.UnixMilli(), 10))
	}
	return strconv.FormatInt(at.UnixMilli(), 10)
}

// Closing are events that close every window before a time: one for each partition. They are filtered, and so open none.
func (t *Traffic) Closing(at time.Time) []*kgo.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := make([]*kgo.Record, t.partitions)
	for q := range records {
		records[q] = &kgo.Record{Partition: int32(q), Timestamp: at, Value: fmt.Appendf(nil, `{"user_id":"","timestamp":%d}`, at.UnixMilli())}
	}
	return records
}
