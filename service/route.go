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

// forward sends the event to its outputs as it came, byte for byte.
func (p *Processor) forward(m *model.Message, out Sink) *model.Reason {
	if why := p.route(m, out); why != nil {
		return why
	}
	if why := p.gauge(m); why != nil {
		return why
	}
	p.write(m, out, m.Value)
	return nil
}

// transformThenRoute is for outputs whose expressions read what the transform makes.
func (p *Processor) transformThenRoute(m *model.Message, out Sink) *model.Reason {
	if why := p.transform(); why != nil {
		return why
	}
	if why := p.route(m, out); why != nil {
		return why
	}
	if why := p.gauge(m); why != nil {
		return why
	}
	p.write(m, out, p.scratch)
	return nil
}

// routeThenTransform knows where the event goes before it is transformed, so that a single output can be written to its
// place at once. What the transform cannot do still comes first.
func (p *Processor) routeThenTransform(m *model.Message, out Sink) *model.Reason {
	why := p.route(m, out)
	if why != nil || len(p.targets) != 1 {
		if first := p.transform(); first != nil {
			return first
		}
		if why != nil {
			return why
		}
		if why := p.gauge(m); why != nil {
			return why
		}
		p.write(m, out, p.scratch)
		return nil
	}
	t := p.targets[0]
	dst := out.Open(t.topic, t.partition, m, t.key, len(m.Value)+p.plan.template.growth)
	dst, failed, err := p.plan.template.append(dst, &p.event, p.env, &p.pieces, &p.result)
	if err != nil {
		return p.failed(model.StageTransform, failed, err)
	}
	p.seen()
	if why := p.gauge(m); why != nil {
		return why
	}
	out.Close(dst, m.Headers)
	return nil
}

// seen shows the transformed event to the expressions that read it.
func (p *Processor) seen() {
	if p.after != p.env {
		p.after.Bind(&p.result)
	}
}

// transform writes the transformed event to p.scratch.
func (p *Processor) transform() *model.Reason {
	var failed *step
	var err error
	if p.scratch, failed, err = p.plan.template.append(p.scratch[:0], &p.event, p.env, &p.pieces, &p.result); err != nil {
		return p.failed(model.StageTransform, failed, err)
	}
	p.seen()
	return nil
}

// route finds the outputs of the event, with their keys and partitions.
func (p *Processor) route(m *model.Message, out Sink) *model.Reason {
	p.targets = p.targets[:0]
	for i := range p.plan.outputs {
		r := &p.plan.outputs[i]
		if p.replay != nil && !p.outputLacks(p.plan.topics[r.topic]) {
			continue
		}
		if r.when != nil {
			yes, err := r.when.program.RunBool(p.routes)
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
	key, kind, err := s.program.RunText(p.routes)
	switch {
	case err != nil:
		return nil, p.failed(model.StageRoute, s, err)
	case kind == expression.Nil:
		return nil, nil
	case kind&keyKinds == 0:
		why := p.failed(model.StageRoute, s, fmt.Errorf("a key is text, a number, a boolean or nil, not %s", kind))
		why.Code = CodeInvalidKey
		return nil, why
	case key == nil:
		return []byte{}, nil
	}
	return key, nil
}

// write hands value to the sink once for every target. Headers go along as they came.
func (p *Processor) write(m *model.Message, out Sink, value []byte) {
	for _, t := range p.targets {
		out.Close(append(out.Open(t.topic, t.partition, m, t.key, len(value)), value...), m.Headers)
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
