package handler

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Readiness is the set of conditions that keep the instance from being ready, each with a reason for a person. It is
// ready when the set is empty. Beside it are notes, which keep it from nothing. It is safe for concurrent use.
type Readiness struct {
	mu      sync.Mutex
	waiting map[string]Condition
	notes   map[string]Condition
}

// Condition is something that is not as it has to be.
type Condition struct {
	Name   string    `json:"name"`   // short and stable: broker, topics, assigned
	Reason string    `json:"reason"` // what is wrong and what it waits for
	Since  time.Time `json:"since"`
}

// Report is what /readyz answers.
type Report struct {
	Ready   bool        `json:"ready"`
	Waiting []Condition `json:"waiting"` // by name; empty when ready
	Notes   []Condition `json:"notes"`   // by name: what is worth knowing and keeps nothing from working
}

// NewReadiness begins not ready: each named condition is unmet until it is cleared.
func NewReadiness(names ...string) *Readiness {
	r := &Readiness{waiting: make(map[string]Condition), notes: make(map[string]Condition)}
	for _, name := range names {
		r.Set(name, "starting")
	}
	return r
}

// Set says that the condition is not met, and why. It returns whether that is news: the condition was met before, or
// for another reason not.
func (r *Readiness) Set(name, reason string) (changed bool) { return r.set(r.waiting, name, reason) }

// Clear says that the condition is met. It returns whether that is news.
func (r *Readiness) Clear(name string) (changed bool) { return r.clear(r.waiting, name) }

// Note says something that an operator should see though the instance does its work: that it is paused, or that something
// beside the stream is away. It returns whether that is news.
func (r *Readiness) Note(name, reason string) (changed bool) { return r.set(r.notes, name, reason) }

// ClearNote takes a note back. It returns whether there was one.
func (r *Readiness) ClearNote(name string) (changed bool) { return r.clear(r.notes, name) }

func (r *Readiness) set(all map[string]Condition, name, reason string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, known := all[name]
	if known && c.Reason == reason {
		return false
	}
	if !known {
		c = Condition{Name: name, Since: time.Now().UTC()}
	}
	c.Reason = reason
	all[name] = c
	return true
}

func (r *Readiness) clear(all map[string]Condition, name string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := all[name]
	delete(all, name)
	return known
}

// Report is a copy of the state.
func (r *Readiness) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Report{Ready: len(r.waiting) == 0, Waiting: sorted(r.waiting), Notes: sorted(r.notes)}
}

func sorted(all map[string]Condition) []Condition {
	list := make([]Condition, 0, len(all))
	for _, c := range all {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Condition) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
