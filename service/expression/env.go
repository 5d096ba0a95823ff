package expression

import (
	"time"

	"github.com/expr-lang/expr/vm"
)

// Source gives the fields of one event as they stand in its JSON.
type Source interface {
	// Field is the value of a top-level field, as valid JSON.
	Field(name string) (raw []byte, ok bool)
	// Names are all top-level fields.
	Names() []string
}

// Env is what expressions see: one event at a time, and the time of the batch. Programs that run on the same event
// share it, so that a field is decoded once. It is for one goroutine.
type Env struct {
	values  map[string]any
	loaded  map[string]uint64
	event   uint64 // counts the events, so that values of an earlier one are known as such
	source  Source
	machine vm.VM
}

// The names in values. Fields have a prefix, so that no field's name can be one of the others.
const (
	fieldPrefix = "."
	askedPrefix = "?"
	nowName     = "now"
	eventName   = "event"
)

// NewEnv is an Env with no event: every field is missing.
func NewEnv() *Env {
	return &Env{values: map[string]any{}, loaded: map[string]uint64{}, event: 1, source: nothing{}}
}

// SetNow sets what now() gives, in UTC.
func (e *Env) SetNow(t time.Time) { e.values[nowName] = t.UTC() }

// Bind makes src the event that the next runs see. Call it again when src changes.
func (e *Env) Bind(src Source) {
	e.source = src
	e.event++
}

func (e *Env) load(p *Program) error {
	for _, key := range p.fields {
		if e.loaded[key] == e.event {
			continue
		}
		var v any
		if raw, ok := e.source.Field(key[len(fieldPrefix):]); ok {
			var err error
			if v, err = Decode(raw); err != nil {
				return &Error{Line: 1, Column: 1, Message: "field " + quote(key[len(fieldPrefix):]) + ": " + err.Error()}
			}
		}
		e.values[key], e.loaded[key] = v, e.event
	}
	for _, key := range p.asked {
		_, ok := e.source.Field(key[len(askedPrefix):])
		e.values[key] = ok
	}
	if p.whole && e.loaded[eventName] != e.event {
		return e.loadWhole()
	}
	return nil
}

func (e *Env) loadWhole() error {
	names := e.source.Names()
	event := make(map[string]any, len(names))
	for _, name := range names {
		raw, _ := e.source.Field(name)
		v, err := Decode(raw)
		if err != nil {
			return &Error{Line: 1, Column: 1, Message: "field " + quote(name) + ": " + err.Error()}
		}
		event[name] = v
	}
	e.values[eventName], e.loaded[eventName] = event, e.event
	return nil
}

type nothing struct{}

func (nothing) Field(string) ([]byte, bool) { return nil, false }
func (nothing) Names() []string             { return nil }
