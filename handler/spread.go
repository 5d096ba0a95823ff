package handler

import (
	"slices"

	"data-stream-engine/model"
)

const (
	// parallelBytes is how much has to be fetched at once for several workers to be worth it. Below, one does
	// everything: each worker has batches of its own, and a Produce request takes one batch a partition, so that two
	// workers cost a request more.
	parallelBytes = 512 << 10
	// flushBytes is how much output is collected before it is produced, though its transaction goes on.
	flushBytes = 2 << 20
	// leastFlush is what one of many workers may collect of that at least: about one full batch.
	leastFlush = 512 << 10
)

// spread gives each fetched partition to a worker: to the one that it belongs to since the last hand-over, otherwise to
// the one that has the least to do. With little to do the first worker gets everything. When that changes, what was
// collected is handed over first, since partitions change their worker then.
func (r *run) spread(fetched *model.Fetch) error {
	several := len(r.workers) > 1 && fetched.Bytes >= parallelBytes
	if several != r.several {
		if err := r.flush(); err != nil {
			return err
		}
		r.several = several
	}
	load := make(map[*worker]int, len(r.workers))
	give := func(w *worker, p *model.FetchedPartition) {
		w.parts = append(w.parts, &reading{FetchedPartition: p, source: r.source(p.TopicPartition), again: p.Topic == r.processor.ReplayTopic()})
		load[w] += p.Bytes
	}
	var free []*model.FetchedPartition
	for i := range fetched.Parts {
		p := &fetched.Parts[i]
		if w := r.owners[p.TopicPartition]; w != nil && several {
			give(w, p)
		} else {
			free = append(free, p)
		}
	}
	for _, p := range free {
		w := r.workers[0]
		if several {
			w = slices.MinFunc(r.workers, func(a, b *worker) int { return load[a] - load[b] })
		}
		give(w, p)
	}
	return nil
}

// busy are the workers that have something left to read, and the share that each may take of what the transaction may
// still hold. Near its limits one works alone, so that they are kept to the message, as with one worker.
func (r *run) busy() ([]*worker, share) {
	busy := slices.DeleteFunc(slices.Clone(r.workers), func(w *worker) bool { return len(w.parts) == 0 })
	s := share{records: r.limit.get() - r.pending.result.Consumed, bytes: r.cfg.CommitMaxBytes - r.pending.bytes, output: r.portion()}
	if n := len(busy); n > 1 && s.records >= n*chunk && s.bytes >= 2*flushBytes {
		s.records, s.bytes = s.records/n, flushBytes/n
	} else {
		busy, s.bytes = busy[:min(n, 1)], min(s.bytes, flushBytes)
	}
	return busy, s
}

// portion is how much one worker may collect before everything is produced.
func (r *run) portion() int {
	if !r.several {
		return flushBytes
	}
	return max(flushBytes/len(r.workers), leastFlush)
}

// collected tells whether a worker has its portion.
func (r *run) collected() bool {
	return slices.ContainsFunc(r.workers, func(w *worker) bool { return w.outbox.Bytes() >= r.portion() })
}

// flush hands over what was collected, if anything.
func (r *run) flush() error {
	if !slices.ContainsFunc(r.workers, func(w *worker) bool { return w.outbox.Bytes() > 0 }) {
		return nil
	}
	return r.hand(step{records: r.pending.result.Consumed, parcel: r.take()})
}

// take empties all outboxes. From here on a partition may belong to another worker.
func (r *run) take() (all model.Parcel) {
	for _, w := range r.workers {
		all = w.outbox.AppendTo(all)
	}
	clear(r.owners)
	return all
}
