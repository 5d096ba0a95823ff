package repository

import "strconv"

// The topics that a group derives, after the name of the group: for its aggregates, and for those who operate it.
const (
	partialsSuffix  = "-partials"
	changelogSuffix = "-changelog"
	insightsSuffix  = "-insights"
	controlSuffix   = "-control"
)

// MostPartials bounds the partitions of a new partials topic: each of them gets a record from every instance each time.
const MostPartials = 16

// MostDerived is how many bytes a batch of these topics may have: the state of one group, with texts that somebody else has
// chosen, may be larger than the megabyte that topics take by default, and one that is refused stops everything. It is what
// hosted clusters allow.
const MostDerived = 8 << 20

func mostDerived() string { return strconv.Itoa(MostDerived) }

// PartialsTopic is where instances send what they have combined. It is as large as the source, within MostPartials, when it
// is created, and stays as it is when the source grows: what it must not be is compacted. Its records are stamped with the
// time of their production, so that retention counts from there.
func PartialsTopic(group string, source int32, replicas int16) TopicSpec {
	return TopicSpec{Name: group + partialsSuffix, Partitions: min(source, MostPartials), Replicas: replicas,
		Config: map[string]string{cleanupPolicy: "delete", "retention.ms": "604800000", maxMessage: mostDerived()}, // 7 days
		Must:   Demands{Policy: "delete"}}
}

// ChangelogTopic holds the state of each partition of the partials topic, of which it has as many. Small segments have the
// broker compact all but the newest 64 MiB, which a restore reads in a second. Kafka does not look at the retention of a
// topic that is only compacted, but the embedded broker does.
func ChangelogTopic(group string, partials int32, replicas int16) TopicSpec {
	return TopicSpec{Name: group + changelogSuffix, Partitions: partials, Replicas: replicas,
		Config: map[string]string{cleanupPolicy: "compact", "segment.bytes": "67108864", "retention.ms": "-1", "retention.bytes": "-1", maxMessage: mostDerived()},
		Must:   Demands{Partitions: partials, Why: asManyAsPartials(group), Policy: "compact"}}
}

// InsightsTopic is where aggregates go, by their key.
func InsightsTopic(group string, partials int32, replicas int16) TopicSpec {
	return TopicSpec{Name: group + insightsSuffix, Partitions: partials, Replicas: replicas,
		Config: map[string]string{cleanupPolicy: "compact,delete", maxMessage: mostDerived()},
		Must:   Demands{Partitions: partials, Why: asManyAsPartials(group), Policy: "compact,delete"}}
}

// ControlTopic holds what the whole group is asked to do and what its instances tell of themselves, by key. It has one
// partition, so that all see the same order. An instance reads all of it when it starts: small segments have the broker
// compact all but the newest few megabytes.
func ControlTopic(group string, replicas int16) TopicSpec {
	return TopicSpec{Name: group + controlSuffix, Partitions: 1, Replicas: replicas,
		Config: map[string]string{cleanupPolicy: "compact", "segment.bytes": "4194304", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1",
			"retention.ms": "-1", "retention.bytes": "-1"},
		Must: Demands{Partitions: 1, Why: "so that all instances see one order", Policy: "compact"}}
}

func asManyAsPartials(group string) string { return "as many as " + group + partialsSuffix + " has" }
