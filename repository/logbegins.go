package repository

import (
	"context"

	"data-stream-engine/model"
)

// Begins is the first offset of each partition that is still there.
func (l *Log) Begins(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error) {
	return l.bounds(ctx, partitions, earliest, readCommitted)
}
