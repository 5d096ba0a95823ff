package handler

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Readiness is the set of conditions that keep the instance from being ready, each with a reason for a person. It is
// ready when the set is empty. It is safe for concurrent use.
type Readiness struct {
	mu      sync.Mutex
	waiting map[string]Condition
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
}

// NewReadiness begins not ready: each named condition is unmet until it is cleared.
func NewReadiness(names ...string) *Readiness {
	r := &Readiness{waiting: make(map[string]Condition)}
	for _, name := range names {
		r.Set(name, "starting")
	}
	return r
}

// Set says that the condition is not met, and why. It returns whether that is news: the condition was met before, or
// for another reason not.
func (r *Readiness) Set(name, reason string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, known := r.waiting[name]
	if known && c.Reason == reason {
		return false
	}
	if !known {
		c = Condition{Name: name, Since: time.Now().UTC()}
	}
	c.Reason = reason
	r.waiting[name] = c
	return true
}

// Clear says that the condition is met. It returns whether that is news.
func (r *Readiness) Clear(name string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.waiting[name]
	delete(r.waiting, name)
	return known
}

// Report is a copy of the state.
func (r *Readiness) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Condition, 0, len(r.waiting))
	for _, c := range r.waiting {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Condition) int { return cmp.Compare(a.Name, b.Name) })
	return Report{Ready: len(list) == 0, Waiting: list}
}
