package integration

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

func TestEventsAreProcessedExactlyAsThePipelineSays(t *testing.T) {
	st := suite.NewStream(t)
	st.Feed(3000)
	engine := st.Start("one", nil)
	engine.AwaitReady(t, soon)
	st.AwaitDone(soon)
	st.Feed(500)
	report := st.Finish(soon)
	if report.Forwarded < 2000 || report.Filtered < 300 || report.DeadLetters < 20 {
		t.Errorf("the input was not what the test is about: %s", report)
	}
	harness.Until(t, soon, "the metrics count what is committed", func(_ ctx) error {
		for outcome, want := range map[string]int{"forwarded": report.Forwarded, "filtered": report.Filtered, "dead_letter": report.DeadLetters} {
			if got := int(engine.Events(t, outcome)); got != want {
				return fmt.Errorf("%s: %d, want %d", outcome, got, want)
			}
		}
		return nil
	})
	engine.Says(t, soon, "first events are in the output topic")
	if n := strings.Count(engine.Log(), "\n"); n > 60 {
		t.Errorf("%d lines of log for one quiet run", n)
	}
}

// Everything in one batch, so that one bad event might take its neighbours with it.
func TestEachPoisonEventBecomesOneDeadLetterAndTheStreamGoesOn(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(1, 2))
	st.Logins.Broken = 0
	st.Start("one", nil).AwaitReady(t, soon)
	poison := map[string][]byte{
		"cut off":              []byte(`{"user_id": "u", "device_type": "iO`),
		"not JSON":             []byte("hello"),
		"binary":               {0, 0xff, 0xfe, 0},
		"empty":                {},
		"tombstone":            nil,
		"two values":           []byte(`{"user_id": "u"} {}`),
		"number":               []byte("42"),
		"null":                 []byte("null"),
		"array":                []byte(`[{"user_id": "u"}]`),
		"bad ip":               []byte(`{"user_id": "u", "device_type": "iOS", "ip": "1.2.3", "device_id": "d", "timestamp": 1694479551}`),
		"ip of another type":   []byte(`{"user_id": "u", "device_type": "iOS", "ip": 7, "device_id": "d", "timestamp": 1694479551}`),
		"no device id":         []byte(`{"user_id": "u", "device_type": "iOS", "ip": "1.2.3.4", "timestamp": 1694479551}`),
		"time of another type": []byte(`{"user_id": "u", "device_type": "iOS", "ip": "1.2.3.4", "device_id": "d", "timestamp": {"a": 1}}`),
		"control character":    []byte("{\"user_id\": \"u\x01\"}"),
	}
	var records []*kgo.Record
	for name, value := range poison {
		for range 3 {
			records = append(records, st.Logins.Next())
		}
		records = append(records, &kgo.Record{Key: []byte("key of " + name), Value: value, Timestamp: time.UnixMilli(1700000000123),
			Headers: []kgo.RecordHeader{{Key: "why", Value: []byte(name)}, {Key: "", Value: nil}, {Key: "bin", Value: []byte{0, 0xff}}}})
	}
	records = append(records, &kgo.Record{Value: []byte("no key")}, st.Logins.Next())
	st.Send(records...)
	report := st.Finish(soon)
	if want := len(poison) + 1; report.DeadLetters != want {
		t.Errorf("%d dead letters, want %d", report.DeadLetters, want)
	}
}

// The output topic takes 2,000 bytes at a time: every batch is refused, and split until what fits is through.
func TestEventTooLargeForTheOutputBecomesOneDeadLetter(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(2, 2), harness.OutputConfigs("max.message.bytes=2000"))
	st.Logins.Broken = 0
	var records, large []*kgo.Record
	for i := range 90 {
		r := st.Logins.Next()
		if i%30 == 7 {
			r.Key = []byte("large")
			r.Value = fmt.Appendf(nil, `{"user_id": "large", "seq": %d, "device_type": "iOS", "ip": "1.2.3.4", "device_id": "d", "timestamp": %d, "note": %q}`,
				1_000_000+i, time.Now().Unix(), bytes.Repeat([]byte("x"), 5000))
			large = append(large, r)
		}
		records = append(records, r)
	}
	st.Send(records...)
	for _, r := range large {
		st.Buried[harness.Place(r)] = "message_too_large"
	}
	engine := st.Start("one", nil)
	report := st.Finish(soon)
	if report.DeadLetters != len(large) {
		t.Errorf("%d dead letters, want %d", report.DeadLetters, len(large))
	}
	if got := int(engine.Events(t, "dead_letter")); got != len(large) {
		t.Errorf("the metrics count %d dead letters, want %d", got, len(large))
	}
	st.Feed(50)
	st.Finish(soon)
}

func TestAllCompressionsInAndOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		codec kgo.CompressionCodec
		id    uint8
	}{{"none", kgo.NoCompression(), 0}, {"gzip", kgo.GzipCompression(), 1}, {"snappy", kgo.SnappyCompression(), 2}, {"lz4", kgo.Lz4Compression(), 3}, {"zstd", kgo.ZstdCompression(), 4}} {
		t.Run(c.name, func(t *testing.T) {
			st := suite.NewStream(t, harness.Through(kgo.ProducerBatchCompression(c.codec)))
			st.Feed(1500)
			st.Start("one", harness.Env{"KAFKA_COMPRESSION": c.name})
			st.Finish(soon)
			for topic, what := range map[string]string{st.Source: "the test's own producer", st.Output: "the engine"} {
				records, err := st.Client.ReadAll(t.Context(), topic)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					if r.Attrs.CompressionType() != c.id {
						t.Fatalf("%s wrote %s with compression %d, not %d", what, harness.Place(r), r.Attrs.CompressionType(), c.id)
					}
				}
			}
		})
	}
}

func TestAtLeastOnceLosesNothing(t *testing.T) {
	st := suite.NewStream(t)
	env := harness.Env{"DELIVERY_GUARANTEE": "at_least_once"}
	stop := st.FeedFor(1500)
	for range 3 {
		engine := st.Start("one", env)
		engine.AwaitReady(t, soon)
		time.Sleep(700 * time.Millisecond)
		engine.Kill()
	}
	stop()
	engine := st.Start("one", env)
	st.AwaitDone(soon)
	engine.Stop(t)
	report, err := st.Compare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	report.Duplicated = harness.Faults{} // allowed after a crash, and only then
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	continued := st.Start("one", env)
	continued.AwaitReady(t, soon)
	st.Feed(100)
	st.AwaitDone(soon)
	harness.Until(t, soon, "it continues where it stopped", func(_ ctx) error {
		sum := continued.Events(t, "forwarded") + continued.Events(t, "filtered") + continued.Events(t, "dead_letter")
		if sum != 100 {
			return fmt.Errorf("%g events were processed after the restart, not 100", sum)
		}
		return nil
	})
}
