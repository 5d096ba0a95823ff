package expression

import "data-stream-engine/service/projection"

// Layout numbers the top-level fields that a set of expressions reads, in the order in which they were first named.
// Programs of one layout run on one Env, which is bound to what the layout's projection finds in an event.
type Layout struct {
	names []string
	slots map[string]int
}

// Slot is the number of a field; a name that is new gets the next one.
func (l *Layout) Slot(name string) int {
	if i, ok := l.slots[name]; ok {
		return i
	}
	if l.slots == nil {
		l.slots = map[string]int{}
	}
	l.slots[name] = len(l.names)
	l.names = append(l.names, name)
	return len(l.names) - 1
}

// Names are the fields by their numbers. The caller must not change them.
func (l *Layout) Names() []string { return l.names }

// Projection finds the fields in the JSON of events. It knows those that have a number by now.
func (l *Layout) Projection() *projection.Projection { return projection.New(l.names) }
