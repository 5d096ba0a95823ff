package harness

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// perfect is a run without a fault: 400 events of four partitions, worked on as they should be.
func perfect(t *testing.T) *Records {
	t.Helper()
	records := &Records{Partitions: 3, Buried: map[string]string{}}
	logins := NewLogins(7)
	logins.Broken = 0.2
	offsets := map[string]int64{}
	place := func(r *kgo.Record, topic string, partition int32) {
		r.Topic, r.Partition = topic, partition
		at := fmt.Sprint(topic, partition)
		r.Offset = offsets[at]
		offsets[at]++
	}
	for range 400 {
		in := logins.Next()
		place(in, "in", Partition(in.Key, 4))
		records.Input = append(records.Input, in)
		want := Expect(in.Value)
		switch want.Fate {
		case Forward:
			want.Event["processed_at"] = time.Now().Format(time.RFC3339)
			value, err := json.Marshal(want.Event)
			if err != nil {
				t.Fatal(err)
			}
			out := &kgo.Record{Key: []byte(want.Key), Value: value, Headers: in.Headers, Timestamp: in.Timestamp}
			place(out, "out", Partition(out.Key, 3))
			records.Output = append(records.Output, out)
		case Bury:
			out := letterOf(in, want)
			place(out, "dead", in.Partition)
			records.DeadLetters = append(records.DeadLetters, out)
		case Drop:
		}
	}
	return records
}

func letterOf(in *kgo.Record, want Expected) *kgo.Record {
	headers := slices.Clone(in.Headers)
	for name, value := range map[string]string{
		"topic": in.Topic, "partition": strconv.Itoa(int(in.Partition)), "offset": strconv.FormatInt(in.Offset, 10),
		"connector.name": "user-login", "stage": want.Stage, "class.name": "some_code", "exception.message": "why",
	} {
		if name == "class.name" && want.Code != "" {
			value = want.Code
		}
		headers = append(headers, kgo.RecordHeader{Key: "__connect.errors." + name, Value: []byte(value)})
	}
	headers = append(headers, kgo.RecordHeader{Key: "stream-engine.failed-at", Value: []byte(time.Now().Format(time.RFC3339))})
	return &kgo.Record{Key: in.Key, Value: in.Value, Headers: headers, Timestamp: in.Timestamp}
}

func TestCompareAcceptsAPerfectRun(t *testing.T) {
	report := Compare(*perfect(t))
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if report.Input != 400 || report.Forwarded < 100 || report.Filtered < 10 || report.DeadLetters < 20 ||
		report.Forwarded+report.Filtered+report.DeadLetters != 400 {
		t.Fatalf("the run is not what it should be: %s", report)
	}
}

// Each of these faults is put into a perfect run, and must be found, alone and under its name.
func TestCompareFinds(t *testing.T) {
	edit := func(r *kgo.Record, old, to string) {
		if !strings.Contains(string(r.Value), old) {
			panic("the test edits nothing")
		}
		r.Value = []byte(strings.Replace(string(r.Value), old, to, 1))
	}
	cases := []struct {
		fault string
		put   func(*Records)
		want  string
	}{
		{"a lost event", func(r *Records) { r.Output = slices.Delete(r.Output, 50, 51) }, "1 lost"},
		{"the last event lost", func(r *Records) { r.Output = r.Output[:len(r.Output)-1] }, "1 lost"},
		{"a lost dead letter", func(r *Records) { r.DeadLetters = r.DeadLetters[1:] }, "1 lost"},
		{"a duplicate", func(r *Records) { r.Output = append(r.Output, again(r.Output[10], 9000)) }, "1 duplicated"},
		{"a duplicate next to it", func(r *Records) { r.Output = slices.Insert(r.Output, 11, again(r.Output[10], 9000)) }, "1 duplicated"},
		{"a dead letter twice", func(r *Records) { r.DeadLetters = append(r.DeadLetters, again(r.DeadLetters[3], 9000)) }, "1 duplicated"},
		{"two events of a key swapped", func(r *Records) { swapNeighbours(r.Output) }, "1 out of order"},
		{"two dead letters swapped", func(r *Records) { swapNeighbours(r.DeadLetters) }, "1 out of order"},
		{"a field of another value", func(r *Records) { edit(r.Output[5], `"locale":"RU"`, `"locale":"DE"`) }, "1 wrong"},
		{"a number that lost its digits", func(r *Records) { edit(r.Output[5], "123456789012345678901", "123456789012345680000") }, "1 wrong"},
		{"a number in another form", func(r *Records) { edit(r.Output[5], "1.50", "1.5") }, "1 wrong"},
		{"a field that was to be removed", func(r *Records) { edit(r.Output[5], `{`, `{"timestamp":1,`) }, "1 wrong"},
		{"a missing field", func(r *Records) { edit(r.Output[5], `"locale":"RU",`, ``) }, "1 wrong"},
		{"no time of processing", func(r *Records) { edit(r.Output[5], `"processed_at":"2`, `"processed_at":"x`) }, "1 wrong"},
		{"another key in the right partition", func(r *Records) { r.Output[5].Key = sibling(r.Output[5].Key) }, "1 wrong"},
		{"another partition", func(r *Records) { r.Output[5].Partition = (r.Output[5].Partition + 1) % 3 }, "1 wrong"},
		{"another time", func(r *Records) { r.Output[5].Timestamp = r.Output[5].Timestamp.Add(time.Millisecond) }, "1 wrong"},
		{"a lost header", func(r *Records) { o := withHeaders(r.Output); o.Headers = o.Headers[1:] }, "1 wrong"},
		{"a changed header", func(r *Records) { o := withHeaders(r.Output); o.Headers[0].Value = []byte("x") }, "1 wrong"},
		{"a dead letter of other bytes", func(r *Records) { withValue(r.DeadLetters).Value[0] ^= 1 }, "1 wrong"},
		{"a dead letter of another stage", func(r *Records) { setHeader(r.DeadLetters[2], "__connect.errors.stage", "route") }, "1 wrong"},
		{"a dead letter without a message", func(r *Records) { setHeader(r.DeadLetters[2], "__connect.errors.exception.message", "") }, "1 wrong"},
		{"a filtered event in the output", func(r *Records) { r.Output = append(r.Output, filtered(r)) }, "1 unknown"},
		{"a dead letter of a good event", func(r *Records) {
			r.DeadLetters = append(r.DeadLetters, letterOf(r.Input[0], Expected{Stage: "decode"}))
		}, "1 unknown"},
		{"an event from nowhere", func(r *Records) {
			o := again(r.Output[0], 9000)
			o.Value = []byte(`{"seq": 12345678}`)
			r.Output = append(r.Output, o)
		}, "1 unknown"},
	}
	for _, c := range cases {
		t.Run(c.fault, func(t *testing.T) {
			records := perfect(t)
			if Expect(records.Input[0].Value).Fate != Forward {
				t.Fatal("the first event is to be a good one: choose another seed")
			}
			c.put(records)
			report := Compare(*records)
			if err := report.Err(); err == nil || !strings.Contains(report.String(), c.want) {
				t.Fatalf("want %s: %v", c.want, err)
			}
			sum := report.Lost.Count + report.Duplicated.Count + report.Reordered.Count + report.Wrong.Count + report.Unknown.Count
			if sum != 1 {
				t.Fatalf("one fault was put in, %d were found: %v", sum, report.Err())
			}
		})
	}
}

func again(r *kgo.Record, offset int64) *kgo.Record {
	c := *r
	c.Offset = offset
	return &c
}

// swapNeighbours exchanges two records that come from one source partition and lie in one partition.
func swapNeighbours(records []*kgo.Record) {
	for i := range records {
		for j := i + 1; j < len(records); j++ {
			if records[j].Partition != records[i].Partition {
				continue
			}
			if Partition(records[i].Key, 4) == Partition(records[j].Key, 4) {
				records[i], records[j] = records[j], records[i]
				return
			}
			break
		}
	}
}

func withHeaders(records []*kgo.Record) *kgo.Record {
	i := slices.IndexFunc(records, func(r *kgo.Record) bool { return len(r.Headers) > 0 })
	records[i].Headers = slices.Clone(records[i].Headers)
	return records[i]
}

func withValue(records []*kgo.Record) *kgo.Record {
	i := slices.IndexFunc(records, func(r *kgo.Record) bool { return len(r.Value) > 0 })
	records[i].Value = slices.Clone(records[i].Value)
	return records[i]
}

func setHeader(r *kgo.Record, key, value string) {
	i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == key })
	r.Headers[i].Value = []byte(value)
}

func filtered(records *Records) *kgo.Record {
	i := slices.IndexFunc(records.Input, func(r *kgo.Record) bool { return Expect(r.Value).Fate == Drop })
	return again(records.Input[i], 9000)
}

// sibling is another key of the same partition.
func sibling(key []byte) []byte {
	for i := 0; ; i++ {
		if other := []byte("other-" + strconv.Itoa(i)); Partition(other, 3) == Partition(key, 3) {
			return other
		}
	}
}

// The hash was computed by openssl.
func TestExpectKnowsTheShippedPipelineByHeart(t *testing.T) {
	got := Expect([]byte(`{"user_id":"u","device_type":"iOS","ip":"199.172.111.135","device_id":"593-47-5928","timestamp":"1694479551","locale":"RU"}`))
	want := map[string]any{"user_id": "u", "device_type": "ios", "ip": "199.172.111.0", "locale": "RU",
		"device_id": "9782a62a1d3e4ea936140e38f52aab4d", "login_at": "2023-09-12T00:45:51Z"}
	if got.Fate != Forward || difference(got.Event, want) != "" {
		t.Fatalf("%+v", got)
	}
}

// The values are those of Kafka's own UtilsTest.
func TestPartitionIsThatOfTheJavaClient(t *testing.T) {
	for text, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", text, got, want)
		}
	}
}
