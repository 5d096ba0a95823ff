package harness

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Logins makes events for the shipped pipeline, each with a seq of its own. The same seed makes the same events.
type Logins struct {
	Random *rand.Rand
	Users  int
	Broken float64 // share of events that have to be dead letters
	seq    int
}

// NewLogins has the usual share of odd events: filtered ones, broken ones, times as text, null headers.
func NewLogins(seed uint64) *Logins {
	return &Logins{Random: rand.New(rand.NewPCG(seed, 1)), Users: 50, Broken: 0.02}
}

// Next is one event, without topic and partition.
func (l *Logins) Next() *kgo.Record {
	l.seq++
	user := "user-" + strconv.Itoa(l.Random.IntN(l.Users))
	r := &kgo.Record{Key: []byte(user), Timestamp: time.UnixMilli(time.Now().UnixMilli() - int64(l.Random.IntN(5000)))}
	if l.Random.IntN(4) == 0 {
		r.Headers = []kgo.RecordHeader{{Key: "trace", Value: []byte(strconv.Itoa(l.seq))}, {Key: "empty", Value: []byte{}}, {Key: "trace", Value: []byte("again")}}
	}
	if l.Random.Float64() < l.Broken {
		r.Value = l.broken(user)
		return r
	}
	r.Value = l.Login(user)
	return r
}

// Login is the value of the event of a user: one of six is not for the output.
func (l *Logins) Login(user string) []byte {
	device := []string{`"android"`, `"iOS"`, `"android"`, `"iOS"`, `"android"`, `"web"`}[l.Random.IntN(6)]
	if l.Random.IntN(30) == 0 {
		user = ""
	}
	return l.event(fmt.Sprintf(`%q`, user), device, l.ip())
}

func (l *Logins) event(user, device, ip string) []byte {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	switch l.Random.IntN(4) {
	case 0:
		at = `"` + at + `"`
	case 1:
		at = strconv.FormatInt(time.Now().UnixMilli(), 10)
	case 2:
		at = `"` + time.Now().UTC().Format(time.RFC3339) + `"`
	}
	return fmt.Appendf(nil, `{"user_id": %s, "seq": %d, "app_version": "2.3.%d", "device_type": %s, "ip": %s, "locale": "RU", `+
		`"device_id": "593-47-%04d", "timestamp": %s, "price": 1.50, "big": 123456789012345678901, "note": "\u00e9 \"q\" \\", "nested": {"b": [1, {"a": null}]}}`,
		user, l.seq, l.Random.IntN(10), device, ip, l.Random.IntN(10000), at)
}

func (l *Logins) ip() string {
	if l.Random.IntN(5) == 0 {
		return fmt.Sprintf(`"2001:db8:%x:%x::1"`, l.Random.IntN(1<<16), l.Random.IntN(1<<16))
	}
	return fmt.Sprintf(`"%d.%d.%d.%d"`, 1+l.Random.IntN(223), l.Random.IntN(256), l.Random.IntN(256), l.Random.IntN(256))
}

// broken is an event that has to be a dead letter.
func (l *Logins) broken(user string) []byte {
	id := fmt.Sprintf("%q", user)
	switch l.Random.IntN(6) {
	case 0:
		whole := l.event(id, `"iOS"`, l.ip())
		return whole[:1+l.Random.IntN(len(whole)-1)]
	case 1:
		return []byte(`[{"user_id": ` + id + `}]`)
	case 2:
		return nil // tombstone
	case 3:
		return l.event(id, `"android"`, `"999.1.2.3"`)
	case 4:
		return []byte{}
	default:
		return fmt.Appendf(nil, `{"user_id": %s, "device_type": "iOS", "ip": "1.2.3.4", "timestamp": "yesterday", "device_id": "x", "seq": %d}`, id, l.seq)
	}
}
