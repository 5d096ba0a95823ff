package handler

import (
	"context"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// waitingEvery is how often a paused instance looks how much waits for it.
const waitingEvery = 5 * time.Second

// standStill keeps this instance's place in the group and does nothing else, for as long as the group is paused: no event
// is read, and nothing is merged, so that time stands still for windows too. It returns when the group goes on, when
// another pipeline is to be taken over, and when the assignment or ctx ends.
func (e *Engine) standStill(ctx context.Context, member model.Assignment) error {
	e.watch.StandStill(len(member.Partitions))
	e.watch.Restoring()
	beside, stop := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer looks.Wait()
	defer stop()
	looks.Go(func() { e.lookWhatWaits(beside, member) })
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		e.watch.Progress.Made()
		still, news := e.asks.still()
		if !still {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-member.Ended:
			return nil
		case <-news:
		case <-tick.C:
		}
	}
}

// The name of what is in trouble while it is not known how much waits, and the operation that fails.
const noteLag, looking = "lag", "look how much waits"

// lookWhatWaits keeps the lag of the partitions up to date, whatever fails meanwhile: a pause may last for days.
func (e *Engine) lookWhatWaits(ctx context.Context, member model.Assignment) {
	source, replayed, _ := e.split(member.Partitions)
	events := slices.Concat(source, replayed)
	if len(events) == 0 {
		return
	}
	trouble := e.watch.Beside(noteLag, "cannot look how much waits, the lag may be old")
	defer trouble.Abandoned(looking)
	var at map[model.TopicPartition]model.Position
	for {
		var err error
		if at == nil {
			at, err = e.standing(ctx, member)
		}
		if err == nil {
			err = e.tellWaiting(ctx, source, events, at)
		}
		switch {
		case err == nil:
			trouble.Recovered(looking)
		case ctx.Err() == nil:
			trouble.Retrying(looking, err)
		}
		if utils.Sleep(ctx, waitingEvery) != nil {
			return
		}
	}
}

func (e *Engine) tellWaiting(ctx context.Context, source, events []model.TopicPartition, at map[model.TopicPartition]model.Position) error {
	ends, err := e.ports.Ends(ctx, events)
	if err != nil {
		return err
	}
	for tp, end := range ends {
		e.watch.Metrics.Lag(tp, max(end-at[tp].Offset, 0))
	}
	e.watch.seen.survey(time.Now(), standing(source, at, ends))
	return nil
}

// standing is where the partitions stand: where the last run has left them, or what the group has committed. The latter
// also settles where partitions begin that were never read.
func (e *Engine) standing(ctx context.Context, member model.Assignment) (map[model.TopicPartition]model.Position, error) {
	if e.left != nil {
		return e.left, nil
	}
	start, err := e.ports.Offsets.Start(ctx, member)
	if err != nil {
		return nil, err
	}
	return start.Positions, nil
}
