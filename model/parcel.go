package model

import "context"

// Parcel is a number of output records on their way to the broker.
type Parcel interface {
	// Produce writes them and returns when all are acknowledged, together with those that the broker takes in no form.
	// It is called once.
	Produce(ctx context.Context) ([]Refused, error)
}

// Refused is an output record that the broker takes in no form: too large for the topic, invalid, against a policy.
type Refused struct {
	Topic     string // where it was to go
	Partition int32
	Record    Message // the record itself; its topic, partition and offset are those of the event that it came from
	Err       error
}

// Origin is the event that the record came from. ok is false for a record that came from none, such as a partial: its
// message had no topic when it was written.
func (r *Refused) Origin() (at Origin, ok bool) {
	m := &r.Record
	return Origin{TopicPartition: TopicPartition{Topic: m.Topic, Partition: m.Partition}, Offset: m.Offset}, m.Topic != ""
}
