package repository

import (
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOneMessageIsFoundAgain(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c")
	r.transaction(false, topic, 0, "aborted")
	source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
	look := func(offset int64) (found string, err error) {
		at := model.Origin{TopicPartition: model.TopicPartition{Topic: topic}, Offset: offset}
		err = source.Lookup(within(t, 30*time.Second), at, func(m *model.Message) error {
			if m.Topic != topic || m.Offset != offset {
				t.Errorf("%+v", m)
			}
			found = string(m.Value)
			return nil
		})
		return found, err
	}
	for offset, want := range []string{"a", "b", "c"} {
		if got, err := look(int64(offset)); err != nil || got != want {
			t.Errorf("%d: %q, %v", offset, got, err)
		}
	}
	for _, offset := range []int64{3, 99} {
		_, err := look(offset)
		requireClass(t, err, model.DataLost)
	}
	if r.fake != nil {
		must(t, r.fake.MoveTopicPartition(topic, 0, (r.fake.LeaderFor(topic, 0)+1)%3))
		if got, err := look(1); err != nil || got != "b" {
			t.Errorf("after the leader moved: %q, %v", got, err)
		}
	}
}

// What a broker does not send at once it may send when it is asked again. It is lost when it does not come at all, and when
// what lies behind it comes instead.
func TestAMessageThatDoesNotComeAtOnceIsAskedForAgain(t *testing.T) {
	damaged := batch("a", "b")
	damaged[len(damaged)-1]++
	type answer struct {
		stable int64 // 0: no partition at all
		set    []byte
	}
	behind, bad, none, good, throttled := answer{1, nil}, answer{2, damaged}, answer{2, nil}, answer{2, batch("a", "b")}, answer{}
	for name, c := range map[string]struct {
		answers []answer // the last one for ever
		found   bool
		asked   int
	}{
		"a new leader":       {[]answer{behind, behind, behind, behind, good}, true, 5},
		"a quota used up":    {[]answer{throttled, throttled, throttled, throttled, good}, true, 5},
		"damaged on the way": {[]answer{bad, none, good}, true, 3},
		"damaged":            {[]answer{bad}, false, 3},
		"compacted away":     {[]answer{none}, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(1)
			r.on(kmsg.Fetch, func(n int, q request) (kmsg.Response, error, bool) {
				a := c.answers[min(n, len(c.answers))-1]
				whole := logged(q, topic, a.stable, 2, a.set)
				if a.stable == 0 {
					whole.Topics = nil
				}
				return whole, nil, true
			})
			found := ""
			source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
			err := source.Lookup(within(t, 30*time.Second), model.Origin{TopicPartition: model.TopicPartition{Topic: topic}, Offset: 1}, func(m *model.Message) error {
				found = string(m.Value)
				return nil
			})
			if c.found {
				must(t, err)
			} else {
				requireClass(t, err, model.DataLost)
			}
			if n := len(r.asked(kmsg.Fetch)); n != c.asked || c.found != (found == "b") {
				t.Errorf("asked %d times, found %q", n, found)
			}
		})
	}
}
