package handler

import "data-stream-engine/model"

const (
	// traceParent is the header that says which trace a message is part of (W3C Trace Context).
	traceParent = "traceparent"
	// leastParent is how long it is at least; its flags have their place in every version. mostParent bounds what is kept.
	leastParent = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	mostParent  = 256
)

// linking notes the traces of the sampled messages that go through it: those that somebody will want to follow.
type linking struct {
	model.Records
	worker *worker
}

// Next implements model.Records.
func (l linking) Next(m *model.Message) bool {
	if !l.Records.Next(m) {
		return false
	}
	if did := &l.worker.did; len(m.Headers) > 0 && len(did.links) < mostLinks {
		if parent, ok := sampled(m.Headers); ok {
			did.links = append(did.links, parent)
		}
	}
	return true
}

// sampled is the traceparent of a message whose trace is recorded. Whether it is valid is for its reader to see.
func sampled(headers []model.Header) (parent string, ok bool) {
	for _, h := range headers {
		if string(h.Key) == traceParent {
			n := len(h.Value)
			if n < leastParent || n > mostParent || !odd(h.Value[leastParent-1]) {
				return "", false
			}
			return string(h.Value), true
		}
	}
	return "", false
}

// odd tells whether the lowest bit of a hexadecimal digit is set, which says "sampled".
func odd(digit byte) bool {
	switch digit {
	case '1', '3', '5', '7', '9', 'b', 'd', 'f':
		return true
	}
	return false
}
