package api

import (
	"context"
	"time"

	"data-stream-engine/handler/view"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// The ports: what the API needs of the others. An error of theirs becomes an answer by its class, see problem.go.

// Insights are kept by a store.
type Insights interface {
	Insights(ctx context.Context, q model.InsightQuery) (model.InsightPage, error)
	Groups(ctx context.Context, q model.GroupQuery) (model.GroupTable, error)
	// Points are the windows of an anomaly's group around it, the earliest first, n at most.
	Points(ctx context.Context, anomaly model.Insight, n int) ([]model.Insight, error)
}

// Letters are the dead letters, without their content.
type Letters interface {
	DeadLetters(ctx context.Context, q model.DeadLetterQuery) (model.DeadLetterPage, error)
	DeadLetter(ctx context.Context, at model.TopicOffset) (model.DeadLetter, bool, error)
	DeadLetterCounts(ctx context.Context, now time.Time) ([]model.DeadLetterCount, error)
}

// Changes says that dead letters or anomalies were written: the number grows.
type Changes interface {
	Version() uint64
}

// Contents reads single dead letters, and says what a replay would make of them.
type Contents interface {
	Letter(ctx context.Context, at model.TopicOffset) (*model.Message, error)
	Verdict(ctx context.Context, m *model.Message) (outcome, text string)
}

// Replayer sends dead letters through the pipeline again.
type Replayer interface {
	Replay(ctx context.Context, r model.ReplayRequest) (model.Replayed, error)
}

// Source reads single records of the source topic.
type Source interface {
	Record(ctx context.Context, partition int32, offset int64) (*model.Message, error)
}

// Control is the wish that the group stands still, or goes on.
type Control interface {
	Pause(ctx context.Context, reason string) (*model.Pause, error)
	Resume(ctx context.Context) error
}

// Pipelines has the pipeline in use and reads its file again.
type Pipelines interface {
	Loaded() (spec *model.Pipeline, processor *service.Processor, text string, at time.Time)
	Reload(ctx context.Context) (model.Reloaded, error)
}

// Compiler makes a pipeline of a text that somebody wants to try.
type Compiler interface {
	Compile(text string) (*service.Processor, error)
}

// Topics knows how many partitions a topic has; 0: not known now.
type Topics interface {
	Partitions(topic string) int32
}

// Pictures are documents about the service as it is now.
type Pictures interface {
	Status() view.Status
	Pipeline() view.Pipeline
	Partitions() view.Partitions
}

// Rates are what flowed, second by second.
type Rates interface {
	Rates() model.Point
	History() ([]model.Point, []model.Mark)
}
