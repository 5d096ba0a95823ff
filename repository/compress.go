package repository

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"data-stream-engine/repository/recordbatch"
)

// compress begins to compress batches that are not yet: as many at a time as there are processors, the first ones
// first, so that their request is under way while those behind them are still being compressed. ready waits for one of
// them. Nothing else may touch a batch until then.
func (p *Producer) compress(batches []Outgoing) {
	if p.cfg.Compressor == nil || p.cfg.Compressor.Codec() == recordbatch.None {
		return
	}
	var raw []Outgoing
	for i := range batches {
		if b := &batches[i]; b.packed == nil {
			b.packed = make(chan error, 1)
			raw = append(raw, *b)
		}
	}
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(raw)) {
		go func() {
			for i := next.Add(1) - 1; i < int64(len(raw)); i = next.Add(1) - 1 {
				raw[i].packed <- raw[i].Batch.Compress(p.cfg.Compressor)
			}
		}()
	}
}

// ready waits until the batch is compressed. It is called once.
func (o *Outgoing) ready() error {
	if o.packed == nil {
		return nil
	}
	if err := <-o.packed; err != nil {
		return fmt.Errorf("compress a batch for %s: %w", o.Topic, err)
	}
	return nil
}
