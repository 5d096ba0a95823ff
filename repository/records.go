package repository

import (
	"errors"
	"runtime"
	"sync"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"
)

// readers are the record batch readers of a stream, with their buffers for decompression: one for each partition that
// is being read, so that several can be read at a time. It is safe for concurrent use.
type readers struct {
	maxBatchBytes int
	mu            sync.Mutex
	free          []*recordbatch.Reader
}

func (r *readers) get() *recordbatch.Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.free); n > 0 {
		reader := r.free[n-1]
		r.free = r.free[:n-1]
		return reader
	}
	return recordbatch.NewReader(r.maxBatchBytes, recordbatch.ReadCommitted)
}

func (r *readers) put(reader *recordbatch.Reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) < runtime.GOMAXPROCS(0) {
		r.free = append(r.free, reader)
	}
}

// records is a read of one fetched partition. It gives its reader back at the end of what was fetched, or keeps it for
// good when a batch could not be read.
type records struct {
	model.TopicPartition
	readers *readers
	reader  *recordbatch.Reader // nil: given back
	next    int64               // position, once the reader was given back
}

func (r *readers) open(f *fetched, from int64) model.Records {
	reader := r.get()
	reader.Reset(f.set, from, f.aborted)
	return &records{TopicPartition: f.TopicPartition, readers: r, reader: reader}
}

// Next implements model.Records.
func (r *records) Next(m *model.Message) bool {
	if r.reader == nil {
		return false
	}
	m.Topic, m.Partition = r.Topic, r.Partition
	if r.reader.Next(m) {
		return true
	}
	if r.reader.Err() == nil {
		r.next = r.reader.NextOffset()
		r.reader.Reset(nil, r.next, nil) // it must not hold on to what was fetched
		r.readers.put(r.reader)
		r.reader = nil
	}
	return false
}

// Err implements model.Records.
func (r *records) Err() error {
	if r.reader == nil {
		return nil
	}
	var bad *recordbatch.BatchError
	if err := r.reader.Err(); errors.As(err, &bad) {
		return &model.BadBatch{TopicPartition: r.TopicPartition, FirstOffset: bad.FirstOffset, LastOffset: bad.LastOffset, Code: bad.Code, Err: bad.Err}
	}
	return nil
}

// NextOffset implements model.Records.
func (r *records) NextOffset() int64 {
	if r.reader == nil {
		return r.next
	}
	return r.reader.NextOffset()
}

// SkipBatch implements model.Records.
func (r *records) SkipBatch() {
	if r.reader != nil {
		r.reader.SkipBatch()
	}
}
