package service

import (
	"encoding/binary"
	"fmt"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// target is one record that an event becomes.
type target struct {
	topic     int
	partition int32
	key       []byte
}

// route finds the outputs of the event that p.env is bound to, with their keys and partitions.
func (p *Processor) route(m *model.Message, out Sink) *model.Reason {
	p.targets, p.keys = p.targets[:0], p.keys[:0]
	for i := range p.plan.outputs {
		r := &p.plan.outputs[i]
		if r.when != nil {
			yes, err := r.when.program.RunBool(p.env)
			if err != nil {
				return p.failed(model.StageRoute, r.when, err)
			}
			if !yes {
				continue
			}
		}
		key, why := p.key(r.key)
		if why != nil {
			return why
		}
		n := out.Partitions(r.topic)
		partition := m.Partition % n
		if key != nil {
			partition = partitionOf(key, n)
		}
		p.targets = append(p.targets, target{topic: r.topic, partition: partition, key: key})
	}
	return nil
}

// key is the record key of an expression: a text's bytes, a number's or a boolean's JSON, nil for nil.
func (p *Processor) key(s *step) ([]byte, *model.Reason) {
	if s == nil {
		return nil, nil
	}
	v, err := s.program.Run(p.env)
	if err != nil {
		return nil, p.failed(model.StageRoute, s, err)
	}
	start := len(p.keys)
	switch text, isText := v.(string); {
	case v == nil:
		return nil, nil
	case isText:
		p.keys = append(p.keys, text...)
	case expression.KindOf(v)&keyKinds != 0:
		if p.keys, err = expression.AppendJSON(p.keys, v); err != nil {
			return nil, p.failed(model.StageRoute, s, err)
		}
	default:
		why := p.failed(model.StageRoute, s, fmt.Errorf("a key is text, a number, a boolean or nil, not %s", expression.Describe(v)))
		why.Code = CodeInvalidKey
		return nil, why
	}
	key := p.keys[start:len(p.keys):len(p.keys)]
	if key == nil {
		key = []byte{}
	}
	return key, nil
}

// write hands the event to the sink once for every target. Headers go along as they came. Without a transform the
// value is the source's, byte for byte.
func (p *Processor) write(m *model.Message, out Sink, result *record) {
	for _, t := range p.targets {
		if !p.plan.changes() {
			out.Close(append(out.Open(t.topic, t.partition, m, t.key, len(m.Value)), m.Value...), m.Headers)
			continue
		}
		out.Close(result.append(out.Open(t.topic, t.partition, m, t.key, result.size())), m.Headers)
	}
}

// partitionOf is the partition that the Java client's default partitioner gives a key.
func partitionOf(key []byte, partitions int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % partitions
}

// murmur2 is org.apache.kafka.common.utils.Utils.murmur2: Austin Appleby's hash with Kafka's seed.
func murmur2(data []byte) uint32 {
	const m, seed = 0x5bd1e995, 0x9747b28c
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
