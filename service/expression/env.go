package expression

import (
	"time"

	"github.com/expr-lang/expr/vm"

	"data-stream-engine/service/projection"
)

// Env is what expressions see: one event at a time, and the time of the batch. It is for one goroutine.
type Env struct {
	work
	event  *projection.Event
	locals []value // variables of let

	// What follows is for programs that run on expr's machine.
	machine vm.VM
	values  map[string]any
	loaded  map[string]uint64
	bound   uint64 // counts the events, so that values of an earlier one are known as such
}

// The names in values. Fields have a prefix, so that no field's name can be one of the others.
const (
	fieldPrefix = "."
	askedPrefix = "?"
	nowName     = "now"
	eventName   = "event"
)

// NewEnv is an Env with no event: every field is missing.
func NewEnv() *Env { return &Env{event: &projection.Event{JSON: []byte("{}")}} }

// SetNow sets what now() gives, in UTC.
func (e *Env) SetNow(t time.Time) {
	e.setNow(t)
	if e.values != nil {
		e.values[nowName] = e.now.boxed()
	}
}

// Bind makes event what the next runs see: what the projection of the programs' layout found. What they returned of an
// earlier event is no longer valid.
func (e *Env) Bind(event *projection.Event) {
	e.event = event
	e.buf = e.buf[:0]
	e.bound++
}

// Release forgets what was made of the event, and gives back memory that is larger than limit bytes: of one with very long
// texts. What was returned for the event is no longer valid.
func (e *Env) Release(limit int) {
	e.Bind(e.event)
	if cap(e.buf) > limit {
		e.buf = nil
	}
	clear(e.locals)
	clear(e.loaded)
	if e.values != nil {
		clear(e.values)
		e.values[nowName] = e.now.boxed()
	}
}

// slot is a field by its number.
func (e *Env) slot(i int) projection.Field {
	if i < len(e.event.Fields) {
		return e.event.Fields[i]
	}
	return projection.Field{}
}

// field is the value of a field by its number.
func (e *Env) field(i int) value {
	f := e.slot(i)
	return e.load(e.event.JSON[f.Start:f.End], f.Kind)
}

// prepare decodes what a program reads, for expr's machine. Programs that run on the same event share it.
func (e *Env) prepare(p *Program) {
	if e.values == nil {
		e.values, e.loaded = map[string]any{nowName: e.now.boxed()}, map[string]uint64{}
	}
	for _, f := range p.fields {
		key := fieldPrefix + f.name
		if e.loaded[key] != e.bound || e.bound == 0 {
			e.values[key], e.loaded[key] = e.decoded(f.slot), e.bound
		}
	}
	for _, f := range p.asked {
		e.values[askedPrefix+f.name] = e.slot(f.slot).Kind != projection.Missing
	}
	if p.whole && (e.loaded[eventName] != e.bound || e.bound == 0) {
		e.values[eventName], e.loaded[eventName] = decode(e.event.JSON), e.bound
	}
}

func (e *Env) decoded(slot int) any {
	f := e.slot(slot)
	if f.Kind == projection.Missing {
		return nil
	}
	return decode(e.event.JSON[f.Start:f.End])
}
