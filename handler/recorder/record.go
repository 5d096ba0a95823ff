package recorder

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// topics are those that there are to record, as they are now.
func (r *Recorder) topics(ctx context.Context) (map[string]Topic, error) {
	wanted := []string{r.cfg.DeadLetters}
	if insights := r.cfg.Insights(); insights != "" {
		wanted = append(wanted, insights)
	}
	topics, err := r.cfg.Topics(ctx, wanted)
	if err == nil && len(topics) == 0 {
		err = &model.Error{Class: model.Transient, Op: "find topics to record", Subject: r.cfg.DeadLetters, Err: errors.New("there is none yet")}
	}
	return topics, fromElsewhere(err)
}

func names(topics map[string]Topic) []string { return slices.Sorted(maps.Keys(topics)) }

// record reads and writes from where the store stands, until something has changed.
func (r *Recorder) record(ctx context.Context, member *model.Assignment, subscribed []string) error {
	if err := r.cfg.Store.Start(ctx); err != nil {
		return err
	}
	topics, err := r.topics(ctx)
	if err != nil {
		return err
	}
	if member != nil && !slices.Equal(names(topics), subscribed) {
		return errTopics
	}
	b := &batch{Recorder: r, topics: topics, insights: r.cfg.Insights(), parts: map[model.TopicPartition]*part{}}
	defer b.close()
	if err := b.begin(ctx, member); err != nil {
		return err
	}
	r.works(b.behind())
	looked := time.Now()
	for ctx.Err() == nil {
		if time.Since(looked) >= r.cfg.Look {
			looked = time.Now()
			if now, err := r.topics(ctx); err == nil && !maps.Equal(now, topics) {
				return b.flush(ctx)
			}
		}
		if err := r.forget(ctx); err != nil {
			return err
		}
		if len(b.parts) == 0 { // there are more instances than partitions
			r.works(0)
			_ = utils.Sleep(ctx, r.cfg.MaxWait)
			continue
		}
		if err := b.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// moreOld is the pause between two transactions that delete.
const moreOld = 50 * time.Millisecond

// forget deletes a part of what is old, when it is time to.
func (r *Recorder) forget(ctx context.Context) error {
	now := time.Now()
	if now.Before(r.retain) {
		return nil
	}
	more, err := r.cfg.Keeper.Retain(ctx, now)
	if err != nil {
		return err
	}
	r.retain = now.Add(r.cfg.RetainEvery)
	if more {
		r.retain = now.Add(moreOld)
	}
	return nil
}
