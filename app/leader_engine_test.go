package app_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// While an output topic has no leaders, nothing that was to be written to it may count as written.
func TestNothingIsLostWhileTheOutputHasNoLeader(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]*kerr.Error{"election": kerr.LeaderNotAvailable, "not known": kerr.UnknownTopicOrPartition} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.start()
			r.feed(100)
			r.exactlyOnce()
			moved := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: outputTopic, Err: kerr.NotLeaderForPartition})
			away := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: outputTopic, Err: err, Count: 4})
			r.feed(100)
			r.exactlyOnce()
			if moved.Hits() < 1 || away.Hits() < 4 {
				t.Errorf("%d and %d faults", moved.Hits(), away.Hits())
			}
		})
	}
}
