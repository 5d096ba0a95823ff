package handler

import (
	"errors"
	"time"

	"data-stream-engine/model"
)

const (
	// unstableOffsets is Kafka's code for offsets that an open transaction may still change (KIP-447).
	unstableOffsets = 88
	// abortInterval is how late a coordinator may notice that a transaction's time is over
	// (transaction.abort.timed.out.transaction.cleanup.interval.ms).
	abortInterval = 10 * time.Second
)

// outlasts says how long a transaction of the group may be open.
func (w *Watch) outlasts(transactionTimeout time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unstable = transactionTimeout + abortInterval
}

// told is the error as a person is told it: that offsets are unstable is usual for a moment, and for longer than any
// transaction may be open it means something else, which the broker does not say.
func (w *Watch) told(err error, since time.Duration) error {
	e, ok := errors.AsType[*model.Error](err)
	if !ok || e.Code != unstableOffsets || w.unstable == 0 || since < w.unstable {
		return err
	}
	hanging := *e
	hanging.Hint = "for " + since.Truncate(time.Second).String() + ", longer than TRANSACTION_TIMEOUT allows: a transaction of this group hangs, which no restart mends; " +
		"find it with kafka-transactions.sh find-hanging and end it with abort"
	return &hanging
}
