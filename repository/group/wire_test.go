package group

import (
	"reflect"
	"testing"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestASubscriptionIsReadAsItWasWritten(t *testing.T) {
	owned := possessions{generation: 7, partitions: []model.TopicPartition{{Topic: "a", Partition: 1}, {Topic: "a", Partition: 3}, {Topic: "b", Partition: 0}}}
	got, err := readSubscription(kmsg.JoinGroupResponseMember{
		MemberID: "m", InstanceID: kmsg.StringPtr("pod-1"), ProtocolMetadata: subscription([]string{"b", "a"}, owned)})
	want := subscriber{id: "m", instance: "pod-1", topics: []string{"a", "b"}, owned: owned}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestASubscriptionOfAnOlderVersionOwnsNothing(t *testing.T) {
	s := kmsg.NewConsumerMemberMetadata()
	s.Topics = []string{"a"}
	got, err := readSubscription(kmsg.JoinGroupResponseMember{MemberID: "m", ProtocolMetadata: s.AppendTo(nil)})
	if err != nil || !reflect.DeepEqual(got.topics, []string{"a"}) || len(got.owned.partitions) != 0 || got.owned.generation != -1 {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestAShareIsReadAsItWasWritten(t *testing.T) {
	want := []model.TopicPartition{{Topic: "a", Partition: 1}, {Topic: "a", Partition: 3}, {Topic: "b", Partition: 0}}
	from := basis{Partitions: map[string]int32{"a": 4, "b": 1, "missing": 0}}
	b, err := share(want, from)
	if err != nil {
		t.Fatal(err)
	}
	got, gotFrom, err := readShare(b)
	if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotFrom, from) {
		t.Fatalf("%v %v %v", got, gotFrom, err)
	}
	if none, _, err := readShare(nil); none != nil || err != nil {
		t.Fatalf("no bytes are no partitions, not %v, %v", none, err)
	}
}

// What other members and brokers send is not ours to trust.
func FuzzReadMembers(f *testing.F) {
	f.Add(subscription([]string{"t"}, possessions{generation: 1, partitions: []model.TopicPartition{{Topic: "t", Partition: 2}}}))
	b, _ := share([]model.TopicPartition{{Topic: "t", Partition: 2}}, basis{Partitions: map[string]int32{"t": 3}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = readShare(b)
		sub, err := readSubscription(kmsg.JoinGroupResponseMember{MemberID: "m", ProtocolMetadata: b})
		if err != nil {
			return
		}
		counts := map[string]int32{}
		for _, name := range sub.topics {
			counts[name] = 3
		}
		if got := assign([]subscriber{sub, {id: "other", topics: sub.topics}}, counts); len(got["m"])+len(got["other"]) != 3*len(counts) {
			t.Fatalf("%v of %v", got, counts)
		}
	})
}
