package projection

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var logins = []string{"user_id", "app_version", "device_type", "ip", "locale", "device_id", "timestamp"}

const (
	login        = `{"user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae", "app_version": "2.3.0", "device_type": "android", "ip": "199.172.111.135", "locale": "RU", "device_id": "593-47-5928", "timestamp": 1694479551}`
	compactLogin = `{"user_id":"424cdd21-063a-43a7-b91b-7ca1a833afae","app_version":"2.3.0","device_type":"android","ip":"199.172.111.135","locale":"RU","device_id":"593-47-5928","timestamp":1694479551}`
)

func benchmarkScan(b *testing.B, names []string, events ...[]byte) {
	b.Helper()
	p, e := New(names), new(Event)
	b.SetBytes(int64(len(events[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i == len(events) {
			i = 0
		}
		if p.Scan(events[i], e) != IsObject {
			b.Fatal("refused")
		}
	}
}

func BenchmarkScan7Fields(b *testing.B) { benchmarkScan(b, logins, []byte(login)) }

func BenchmarkScan7FieldsCompact(b *testing.B) { benchmarkScan(b, logins, []byte(compactLogin)) }

// BenchmarkScan7FieldsVaried has a thousand different events in four orders of the fields: the processor cannot learn them.
func BenchmarkScan7FieldsVaried(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	events := make([][]byte, 1000)
	for i := range events {
		events[i] = variedLogin(r)
	}
	benchmarkScan(b, logins, events...)
}

func BenchmarkScan3Of60Fields(b *testing.B) {
	benchmarkScan(b, []string{"user_id", "attribute_31", "timestamp"}, wideEvent())
}

func BenchmarkScanNested(b *testing.B) {
	benchmarkScan(b, []string{"id"}, fmt.Appendf(nil, `{"id":1,"items":[%s{"last":true}]}`,
		strings.Repeat(`{"sku":"A-1","price":{"amount":12.5,"currency":"EUR"},"tags":["a","b",null]},`, 20)))
}

// BenchmarkValid is what encoding/json needs to check the same event, and to find nothing.
func BenchmarkValid(b *testing.B) {
	event := []byte(login)
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if !json.Valid(event) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkMemberOf(b *testing.B) {
	event := wideEvent()
	for b.Loop() {
		if _, ok := MemberOf(event, "timestamp"); !ok {
			b.Fatal("not found")
		}
	}
}

// variedLogin is a login event with random values, in one of four orders.
func variedLogin(r *rand.Rand) []byte {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	stamp := fmt.Sprint(1_700_000_000 + r.IntN(10_000))
	fields := []string{
		fmt.Sprintf(`"user_id": "%08x-%04x-%04x-%04x-%012x"`, r.Uint32(), r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<16), r.Uint64()>>16),
		fmt.Sprintf(`"app_version": %q`, pick("2.3.0", "2.3.1", "2.2.9", "2.4.0", "1.9.12")),
		fmt.Sprintf(`"device_type": %q`, pick("android", "iOS")),
		fmt.Sprintf(`"ip": "%d.%d.%d.%d"`, 1+r.IntN(223), r.IntN(256), r.IntN(256), r.IntN(256)),
		fmt.Sprintf(`"locale": %q`, pick("RU", "US", "DE")),
		fmt.Sprintf(`"device_id": "%03d-%02d-%04d"`, r.IntN(1000), r.IntN(100), r.IntN(10_000)),
		fmt.Sprintf(`"timestamp": %s`, pick(stamp, `"`+stamp+`"`)),
	}
	if r.IntN(100) == 0 {
		fields[0] = `"user_id": null`
	}
	var event []string
	for _, i := range [][]int{{0, 1, 2, 3, 4, 5, 6}, {6, 0, 1, 2, 3, 4, 5}, {3, 4, 5, 0, 6, 2, 1}, {5, 2, 0, 1, 4, 3, 6}}[r.IntN(4)] {
		event = append(event, fields[i])
	}
	return []byte("{" + strings.Join(event, ", ") + "}")
}

// wideEvent is an event of 2 KB with 60 fields.
func wideEvent() []byte {
	var event strings.Builder
	event.WriteString(`{"user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae"`)
	for i := range 58 {
		value := []string{`"some text of the event"`, "12345", "true", "null", "3.25", `"x"`}[i%6]
		fmt.Fprintf(&event, `, "attribute_%02d": %s`, i, value)
		if i%6 == 5 {
			event.WriteString(strings.Repeat(" ", 50))
		}
	}
	event.WriteString(`, "timestamp": 1694479551}`)
	return []byte(event.String())
}
