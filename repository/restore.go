package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"data-stream-engine/model"
)

const (
	// restoreWait is how long a broker may hold a request back when there is nothing, as while a transaction is open.
	restoreWait = 500 * time.Millisecond
	// restoreTries is how often a batch that cannot be read is fetched before it is given up: a replica or the network may
	// have damaged it on the way.
	restoreTries = 3
	// hollowTries is how often a broker has to say that there is nothing where something should be.
	hollowTries = 3
)

// Restore shows see what is committed in a partition, in order and from its beginning on, until it has passed the high
// watermark of this moment: whatever was committed before is seen then. It waits for transactions that are open below it;
// the last stable offset would not do as an end, since the marker of a transaction may be behind in one partition when it
// has been written in another (KAFKA-10167). A message is valid until see returns.
//
// It may still end too early, when a broker that was frozen during an election has just come back: see Ends. So what it
// shows has to be checked for the merge commit that Note.Sequence names.
//
// progress hears, after each answer, how many offsets are done and how many there are; nil: nobody does. An error of class
// DataLost says that records cannot be had any more, others are those of Read and of see.
func (l *Log) Restore(ctx context.Context, tp model.TopicPartition, see func(m *model.Message) error, progress func(done, end int64)) error {
	r, err := l.beginRestore(ctx, tp, see)
	if err != nil {
		return err
	}
	first := r.at
	for r.at < r.end {
		parts, err := l.read(ctx, map[model.TopicPartition]int64{tp: r.at}, restoreWait)
		if err != nil {
			return err
		}
		for i := range parts {
			if err := r.take(ctx, &parts[i]); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(min(r.at, r.end)-first, r.end-first)
		}
	}
	return nil
}

// beginRestore stands at the beginning of a partition, and knows where it ends now.
func (l *Log) beginRestore(ctx context.Context, tp model.TopicPartition, see func(*model.Message) error) (*restore, error) {
	one := []model.TopicPartition{tp}
	ends, err := l.Ends(ctx, one)
	if err != nil {
		return nil, err
	}
	first, err := l.bounds(ctx, one, earliest, readCommitted)
	if err != nil {
		return nil, err
	}
	return &restore{Log: l, tp: tp, see: see, at: first[tp], end: ends[tp]}, nil
}

// restore is a Restore under way.
type restore struct {
	*Log
	tp      model.TopicPartition
	see     func(*model.Message) error
	message model.Message

	at, end int64
	bad     int64 // offset of the batch that could not be read last
	tries   int   // to read it
	nothing int   // answers in a row without anything where something should be
}

func (r *restore) take(ctx context.Context, p *model.LogPart) error {
	if p.Lost && p.Next > r.at { // what lies before is deleted or compacted away, which is no loss
		r.at = p.Next
		return nil
	}
	if p.Lost || p.HighWatermark < r.end {
		if err := r.whole(ctx); err != nil || p.Lost {
			return err
		}
	}
	if r.hollow(p) {
		r.at = p.LastStable
		return nil
	}
	records := p.Open()
	for records.Next(&r.message) {
		if err := r.see(&r.message); err != nil {
			return err
		}
	}
	r.at = records.NextOffset()
	if bad, ok := errors.AsType[*model.BadBatch](records.Err()); ok {
		return r.again(bad)
	}
	return nil
}

// whole makes sure that the log still reaches as far as at the beginning. A new leader may not know for a moment how far
// it does, so that its high watermark says little; the answer to ListOffsets is right (KIP-207).
func (r *restore) whole(ctx context.Context) error {
	ends, err := r.Ends(ctx, []model.TopicPartition{r.tp})
	if err != nil || ends[r.tp] >= r.end {
		return err
	}
	return r.dead(fmt.Errorf("it ended at offset %d and ends at %d now: an unclean leader election cut it off", r.end, ends[r.tp]))
}

// hollow tells that nothing lies between here and the last stable offset: compaction took it all. A broker answers a
// request for one partition with at least one batch where there is one.
func (r *restore) hollow(p *model.LogPart) bool {
	if p.Bytes > 0 || p.LastStable <= r.at {
		r.nothing = 0
		return false
	}
	r.nothing++
	return r.nothing >= hollowTries
}

// again lets a batch that could not be read be fetched again, until it is given up.
func (r *restore) again(b *model.BadBatch) error {
	if r.bad != b.FirstOffset {
		r.bad, r.tries = b.FirstOffset, 0
	}
	r.tries++
	if r.tries < restoreTries {
		r.at = b.FirstOffset
		return nil
	}
	return r.dead(b)
}

func (r *restore) dead(err error) error {
	return &model.Error{Class: model.DataLost, Op: "restore from", Subject: fmt.Sprintf("%s-%d", r.tp.Topic, r.tp.Partition), Err: err,
		Hint: "what was aggregated cannot be told from it any more: set another KAFKA_GROUP_ID to aggregate afresh"}
}
