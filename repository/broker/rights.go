package broker

import "strings"

// Kafka's codes of a call that an ACL would allow.
const (
	topicDenied         = 29
	groupDenied         = 30
	clusterDenied       = 31
	transactionalDenied = 53
)

// missing names the right that a call lacks. The broker says only on what kind of thing; which operation it wants there
// follows from what was asked for (Kafka's table of operations and resources, org.apache.kafka.common.acl.AclOperation).
func missing(op string, code int16) string {
	var right string
	switch code {
	case topicDenied:
		right = topicRight(op)
	case groupDenied:
		right = "READ on the group"
	case clusterDenied:
		right = "CREATE on the cluster, or on topics of that name"
		if !strings.HasPrefix(op, "create") {
			right = "IDEMPOTENT_WRITE on the cluster, or WRITE on any topic"
		}
	case transactionalDenied:
		right = "WRITE on the transactional id"
	default:
		return ""
	}
	return "an ACL is missing: the user needs " + right
}

func topicRight(op string) string {
	for _, o := range []struct{ part, right string }{
		{"fetch the committed offset", "DESCRIBE on the topic, which READ brings"},
		{"find", "DESCRIBE on the topic, which READ or WRITE brings"},
		{"list offsets", "DESCRIBE on the topic, which READ brings"},
		{"create", "CREATE on topics of that name, or KAFKA_AUTO_CREATE_TOPICS=false and the topic"},
		{"settings of", "DESCRIBE_CONFIGS on the topic"},
		{"produce", "WRITE on the topic"},
		{"write", "WRITE on the topic"},
		{"add to transaction", "WRITE on the topic"},
	} {
		if strings.Contains(op, o.part) {
			return o.right
		}
	}
	return "READ on the topic" // fetch, look up, read, commit the offset of
}
