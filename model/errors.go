package model

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Class decides the fate of an error; nothing else does.
type Class int

// The classes, from the mildest to the one that ends the start.
const (
	// Transient errors pass: the same call is made again, with backoff, for ever.
	Transient Class = iota
	// Fenced means that another producer or member took this one's place: get a new epoch, drop staged work.
	Fenced
	// Rejoin means that the group moved on without us: join again with what is committed.
	Rejoin
	// Replaced means that another process joined with the same INSTANCE_ID.
	Replaced
	// Rejected records are refused for good: too large, invalid, against a policy. They become dead letters.
	Rejected
	// TimedOut transactions were aborted by the broker: try again with less in one.
	TimedOut
	// Unauthorized calls lack an ACL or a credential: retried slowly, since only an operator can mend it.
	Unauthorized
	// DataLost means that a position no longer exists in the log.
	DataLost
	// Recreated means that a topic of this name is another topic now (its id changed).
	Recreated
	// Misconfigured stops the start with exit code 2. In an answer to somebody who asks it says that the question is wrong.
	Misconfigured

	// The rest are answers to people and programs that ask; the stream itself does not meet them.

	// NotFound is not there, or not yet.
	NotFound
	// Deleted was there and is not any more.
	Deleted
	// Conflict is against what was asked for or done before, such as an Idempotency-Key that belongs to another request.
	Conflict
)

var classNames = [...]string{"transient", "fenced", "rejoin", "replaced", "rejected", "timed_out", "unauthorized", "data_lost", "recreated", "misconfigured",
	"not_found", "deleted", "conflict"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", int(c))
}

// Error says what failed, on which thing, what it means and what to do about it.
type Error struct {
	Class   Class
	Op      string // what was tried, as a phrase: "commit transaction"
	Subject string // the thing it was tried on: a topic, a group, a broker
	Code    int16  // Kafka's error code, 0 when it was not the broker that answered
	Err     error
	Hint    string // what the reader can do
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf is the class of the outermost Error in the chain. Everything else - a closed connection, a timeout of the
// network - is transient.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Transient
}

// Stopped tells whether err only says that ctx ended.
func Stopped(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil
}
