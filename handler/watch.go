package handler

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

// The names of the conditions that keep an instance from being ready.
const (
	ConditionBroker   = "broker"   // it cannot be reached, or does not do what is asked
	ConditionAssigned = "assigned" // no generation of the group has been joined yet
)

// Watch turns what happens into metrics, readiness and a story in the log. It is safe for concurrent use.
type Watch struct {
	Metrics   *Metrics
	Readiness *Readiness
	Progress  *Progress
	log       zerolog.Logger
	windows   windowWatch
	seen      *observer
	traces    *traces // nil: nobody traces

	mu       sync.Mutex // also held while readiness follows troubles: the later one of two is to have the last word
	troubles troubles
	working  bool   // messages are being read
	state    string // see the states in pausewatch.go
	moved    bool
	unstable time.Duration // for so long offsets may be unstable; 0: nobody knows
}

// The operations behind Failing: what came before reading, and reading itself, which only a commit proves to work again.
const (
	starting = "start"
	moving   = "process"
)

// NewWatch returns a Watch over the given parts.
func NewWatch(metrics *Metrics, readiness *Readiness, progress *Progress, log zerolog.Logger) *Watch {
	return &Watch{Metrics: metrics, Readiness: readiness, Progress: progress, log: log, troubles: troubles{}, state: StateStarting,
		windows: newWindowWatch(), seen: newObserver()}
}

// Retrying says that an operation failed and is tried again. Trying counts as progress: a broker that is away is no
// reason to restart this process.
func (w *Watch) Retrying(op string, err error) {
	w.Progress.Made()
	w.Metrics.Retry(op, model.ClassOf(err))
	w.traces.retried(op, err)
	now := time.Now()
	w.mu.Lock()
	t := w.troubles.failed(op, now)
	since, times := now.Sub(t.since), t.times
	err = w.told(err, since)
	lasting, tell := t.judge(err, now)
	if lasting {
		w.Readiness.Set(ConditionBroker, err.Error())
	}
	w.mu.Unlock()
	if tell {
		w.log.Warn().Str("operation", op).Err(err).Int("attempt", times).Stringer("for", since.Round(time.Millisecond)).Msg("failed, trying again")
	}
}

// Pausing says how long it is until an operation that failed is tried again.
func (w *Watch) Pausing(op string, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.troubles[op]; t != nil {
		t.next = time.Now().Add(pause)
	}
}

// Recovered says that an operation that had failed works again.
func (w *Watch) Recovered(op string) {
	w.mu.Lock()
	t, left := w.troubles.over(op)
	if t != nil && left == 0 {
		w.Readiness.Clear(ConditionBroker)
	}
	w.mu.Unlock()
	if t != nil {
		t.toldOver(&w.log, op)
	}
}

// Abandoned says that an operation that had failed is over, as when its partitions went to another instance.
// Whether the broker is well will be seen by what comes next.
func (w *Watch) Abandoned(op string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.troubles, op)
}

// Lost says that messages are gone that were not read.
func (w *Watch) Lost(tp model.TopicPartition, from, to int64) {
	n := max(to-from, 0)
	w.Metrics.RecordsLost(n)
	w.log.Error().Str("topic", tp.Topic).Int32("partition", tp.Partition).Int64("offset", from).Int64("moved_to", to).Int64("lost", n).
		Msg("the position is out of the log's range: messages were deleted before they were read, or the log was cut off; check the topic's retention")
}

// Failing says that nothing goes on, because of an error that the engine cannot mend by itself.
func (w *Watch) Failing(err error) (op string) {
	op = w.GivenUp(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.troubles[op] != nil {
		w.Readiness.Set(ConditionBroker, err.Error())
	}
	return op
}

// GivenUp says that what was begun came to nothing and is tried again. Only when that goes on is the instance not ready. It
// returns the operation that stands for it.
func (w *Watch) GivenUp(err error) (op string) {
	w.mu.Lock()
	op = starting
	if w.working {
		op = moving
	}
	w.working = false
	w.mu.Unlock()
	w.Retrying(op, err)
	return op
}

// Joining says that nothing is read any more: what was in trouble may be another instance's.
func (w *Watch) Joining() {
	w.phase(StateStarting)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working = false
	delete(w.troubles, moving)
}

// Working says that messages are being read.
func (w *Watch) Working(partitions int) {
	w.mu.Lock()
	w.working = true
	w.mu.Unlock()
	w.phase(StateReading)
	w.Readiness.Clear(ConditionAssigned)
	w.settled(moving)
	w.log.Info().Int("partitions", partitions).Msg("reading")
}

// StandBy says that there is nothing to read for this instance.
func (w *Watch) StandBy() {
	w.phase(StateStandby)
	w.Readiness.Clear(ConditionAssigned)
	w.settled()
	w.log.Info().Msg("standing by without a partition: there are more instances than partitions")
}

// settled ends all troubles but those named: whoever met them has ended without a word, and begins anew.
func (w *Watch) settled(but ...string) {
	w.Recovered(starting)
	w.mu.Lock()
	maps.DeleteFunc(w.troubles, func(op string, _ *trouble) bool { return !slices.Contains(but, op) })
	w.mu.Unlock()
	w.wellIfAll()
}

// wellIfAll says that the broker is well when nothing is in trouble.
func (w *Watch) wellIfAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.troubles) == 0 {
		w.Readiness.Clear(ConditionBroker)
	}
}

// Moved says that events were committed, and tells the log the first time.
func (w *Watch) Moved(r model.Result) {
	w.Progress.Made()
	// A commit proves nothing about what else is in trouble, such as the fetch of one partition.
	w.Recovered(starting)
	w.Recovered(moving)
	w.wellIfAll()
	if r.Forwarded == 0 {
		return
	}
	w.mu.Lock()
	first := !w.moved
	w.moved = true
	w.mu.Unlock()
	if first {
		w.log.Info().Int("forwarded", r.Forwarded).Msg("first events are in the output topic")
	}
}
