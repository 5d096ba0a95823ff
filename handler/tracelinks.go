package handler

import "data-stream-engine/model"

// TraceContext is what the headers of a message say about the trace that it is part of (W3C Trace Context). Whether it
// is valid is for its reader to see.
type TraceContext struct {
	Parent string // traceparent
	State  string // tracestate, may be empty
}

const (
	traceParent = "traceparent"
	traceState  = "tracestate"

	// A traceparent has its flags at a fixed place in every version: version-trace-parent-flags, in hexadecimal digits.
	leastParent = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	mostParent  = 256
	mostState   = 512 // what vendors have to pass on at least
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
		if c, ok := sampled(m.Headers); ok {
			did.links = append(did.links, c)
		}
	}
	return true
}

// sampled is the trace context of a message whose trace is recorded.
func sampled(headers []model.Header) (c TraceContext, ok bool) {
	for _, h := range headers {
		switch string(h.Key) {
		case traceParent:
			n := len(h.Value)
			if n < leastParent || n > mostParent || !odd(h.Value[leastParent-1]) {
				return c, false
			}
			c.Parent = string(h.Value)
		case traceState:
			if len(h.Value) <= mostState {
				c.State = string(h.Value)
			}
		}
	}
	return c, c.Parent != ""
}

// odd tells whether the lowest bit of a hexadecimal digit is set, which says "sampled".
func odd(digit byte) bool {
	switch digit {
	case '1', '3', '5', '7', '9', 'b', 'd', 'f':
		return true
	}
	return false
}
