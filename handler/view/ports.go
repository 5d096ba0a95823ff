package view

import (
	"context"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Engine is this instance's engine, as far as it tells of itself.
type Engine interface {
	Observed() handler.Observed
}

// Group is what the instances of the group have said through the control topic.
type Group interface {
	// Paused is the wish that everything stands still; nil: there is none.
	Paused() *model.Pause
	// Instances are the last words of each instance, this one's possibly among them.
	Instances() []model.InstanceStatus
}

// Loader knows the pipeline that is in use.
type Loader interface {
	// Loaded is the pipeline, what runs it, the text of its file, and when that was read.
	Loaded() (spec *model.Pipeline, processor *service.Processor, text string, at time.Time)
}

// Recorder stores insights and dead letters.
type Recorder interface {
	State() Storage
}

// Counter knows how many partitions topics have.
type Counter interface {
	PartitionCounts(ctx context.Context, topics []string) (map[string]int32, error)
}
