package repository

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a group derives for itself is made once and found again, whatever the source has become.
func TestDerivedTopicsAreMadeAndFoundAgain(t *testing.T) {
	r := newRig(t)
	group := unique(t)
	for _, source := range []int32{3, 40} {
		m, created, err := r.topics().Ensure(within(t, time.Minute), PartialsTopic(group, source, 1), true)
		if err != nil || m != 3 || created != (source == 3) {
			t.Fatalf("partials: %d, %t, %v", m, created, err)
		}
		for _, spec := range []TopicSpec{ChangelogTopic(group, m, 1), InsightsTopic(group, m, 1)} {
			if n, _, err := r.topics().Ensure(within(t, time.Minute), spec, true); err != nil || n != 3 {
				t.Errorf("%s: %d, %v", spec.Name, n, err)
			}
		}
	}
	for name, want := range map[string]string{"partials": "delete 604800000", "changelog": "compact -1", "insights": "compact,delete 604800000"} {
		name = group + "-" + name
		policy, err := r.topics().setting(within(t, time.Minute), name, "cleanup.policy")
		must(t, err)
		retention, err := r.topics().setting(within(t, time.Minute), name, "retention.ms")
		must(t, err)
		if got := policy + " " + retention; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n := PartialsTopic(group, 40, 1).Partitions; n != MostPartials {
		t.Errorf("%d partitions for 40 of the source", n)
	}
}

// Kafka does not look at the retention of a topic that is only compacted. The embedded broker does, by size.
func TestStateOutlastsTheRetentionOfTheEmbeddedBroker(t *testing.T) {
	r := fakeRig(t, kfake.BrokerConfigs(map[string]string{"log.retention.bytes": "1000", "log.retention.ms": "-1"}))
	for _, spec := range []TopicSpec{PartialsTopic("g", 1, 1), ChangelogTopic("g", 1, 1)} {
		_, _, err := r.topics().Ensure(within(t, time.Minute), spec, true)
		must(t, err)
		for range 5 {
			r.fill(spec.Name, 0, strings.Repeat("x", 1000))
		}
	}
	r.fake.ApplyRetention()
	starts, err := r.admin.ListStartOffsets(within(t, time.Minute), "g-partials", "g-changelog")
	must(t, err)
	for topic, kept := range map[string]bool{"g-partials": false, "g-changelog": true} {
		if o, _ := starts.Lookup(topic, 0); kept != (o.Offset == 0) {
			t.Errorf("%s begins at %d", topic, o.Offset)
		}
	}
}

func TestTopicThatIsNotAsItMustBeIsRefused(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2, "cleanup.policy", "delete,compact")
	brokers := r.topic(2) // with the brokers' own policy
	for _, c := range []struct {
		topic string
		must  Demands
		says  []string // nothing: it is as it must be
	}{
		{topic, Demands{}, nil},
		{topic, Demands{Partitions: 2, Policy: "compact,delete"}, nil},
		{topic, Demands{Partitions: -1, Policy: "compact, delete"}, nil},
		{topic, Demands{Partitions: 3, Why: "as many as x has", Policy: "compact"}, []string{"it has 2 partitions, 3 are needed as many as x has", "KAFKA_GROUP_ID", "delete"}},
		{topic, Demands{Policy: "compact"}, []string{`"delete,compact"`, `"compact" is needed`, "KAFKA_GROUP_ID", "cleanup.policy=[compact]", "--entity-name " + topic}},
		{brokers, Demands{Policy: "delete"}, nil},
		{brokers, Demands{Policy: "compact,delete"}, []string{`"delete", "compact,delete" is needed`, "cleanup.policy=[compact,delete]"}},
	} {
		n, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: c.topic, Partitions: 9, Replicas: 1, Must: c.must}, true)
		if len(c.says) == 0 {
			if err != nil || n != 2 {
				t.Errorf("%+v: %d, %v", c.must, n, err)
			}
			continue
		}
		requireClass(t, err, model.Misconfigured)
		for _, want := range append(c.says, c.topic) {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%+v: %v does not say %s", c.must, err, want)
			}
		}
	}
}

func described(q request, code int16, settings ...string) *kmsg.DescribeConfigsResponse {
	a := q.ResponseKind().(*kmsg.DescribeConfigsResponse)
	x := kmsg.NewDescribeConfigsResponseResource()
	x.ErrorCode = code
	for i := 0; i+1 < len(settings); i += 2 {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value = settings[i], &settings[i+1]
		x.Configs = append(x.Configs, c)
	}
	a.Resources = append(a.Resources, x)
	return a
}

// A broker that was not told of a new topic yet, one that goes away, and an answer that lacks what was asked for.
func TestSettingsAreAskedForUntilTheyAreKnown(t *testing.T) {
	r := fakeRig(t)
	r.on(kmsg.DescribeConfigs, func(n int, q request) (kmsg.Response, error, bool) {
		switch n {
		case 1:
			return described(q, broker.UnknownTopicOrPartition), nil, true
		case 2:
			return nil, errors.New("hang up"), true
		case 3:
			return described(q, 0, "retention.ms", "5"), nil, true
		}
		return nil, nil, false
	})
	n, created, err := r.topics().Ensure(within(t, time.Minute), ChangelogTopic("g", 2, 1), true)
	if err != nil || n != 2 || !created || len(r.asked(kmsg.DescribeConfigs)) != 4 {
		t.Errorf("%d, %t, %v after %d requests", n, created, err, len(r.asked(kmsg.DescribeConfigs)))
	}
}

func TestMissingACLForSettingsIsNamed(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.on(kmsg.DescribeConfigs, func(_ int, q request) (kmsg.Response, error, bool) { return described(q, 29), nil, true })
	_, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: topic, Must: Demands{Policy: "delete"}}, false)
	requireClass(t, err, model.Unauthorized)
	for _, want := range []string{topic, "DESCRIBE_CONFIGS"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestMissingTopicIsNamedWithWhatItHasToBeLike(t *testing.T) {
	r := fakeRig(t)
	topics := NewTopics(r.client, NewRetry(r.observer))
	for want, spec := range map[string]TopicSpec{
		"create it with one partition and cleanup.policy=compact, or": ControlTopic("missing", 1),
		"create it with 3 partitions and cleanup.policy=compact, or":  ChangelogTopic("missing", 3, 1),
		"create it, or": {Name: "missing"},
	} {
		_, _, err := topics.Ensure(within(t, time.Minute), spec, false)
		requireClass(t, err, model.Misconfigured)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
