package model

// Stage names the step at which an event failed, as dead letters carry it.
type Stage string

// The stages.
const (
	StageDecode    Stage = "decode"
	StageFilter    Stage = "filter"
	StageTransform Stage = "transform"
	StageAggregate Stage = "aggregate"
	StageRoute     Stage = "route"
	StageProduce   Stage = "produce"
	StageLate      Stage = "late"
)

// Reason says why an event became a dead letter.
type Reason struct {
	Stage   Stage
	Code    string // short and stable: invalid_json, expression, message_too_large
	Message string // for a person: which expression, where, what value
}

// Result is what became of the messages of one batch.
type Result struct {
	Consumed    int // messages read
	Forwarded   int // messages with at least one output record
	Filtered    int // messages that the filter, or every output's condition, dropped
	DeadLetters int // messages that became a dead letter
	Late        int // messages, forwarded or not, that came too late for an aggregate
	Outputs     int // output records written, dead letters aside
	Replayed    int // messages that were dead letters before, whatever has become of them now
	Recounted   int // of these: they only fed the aggregates that they had come too late for, and are in none of the sums above
}

// Add sums another batch up.
func (r *Result) Add(o Result) {
	r.Consumed += o.Consumed
	r.Forwarded += o.Forwarded
	r.Filtered += o.Filtered
	r.DeadLetters += o.DeadLetters
	r.Late += o.Late
	r.Outputs += o.Outputs
	r.Replayed += o.Replayed
	r.Recounted += o.Recounted
}
