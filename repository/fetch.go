package repository

import (
	"encoding/binary"
	"errors"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
)

// fetched is one partition of a Fetch answer; set lies in the answer.
type fetched struct {
	model.TopicPartition
	code    int16
	high    int64 // high watermark: the end of the log, with transactions that are open
	stable  int64 // last stable offset: where a read_committed reader's log ends
	aborted []recordbatch.Aborted
	set     []byte
}

// whole tells whether the set holds more than a beginning of its first batch.
func (f *fetched) whole() bool {
	const sizeEnd = 12 // base offset and size
	return len(f.set) > sizeEnd && int64(binary.BigEndian.Uint32(f.set[8:]))+sizeEnd <= int64(len(f.set))
}

// appendFetch encodes a Fetch v11 request without a fetch session (KIP-227), for it asks for all its partitions anyway.
func appendFetch(b []byte, waitMillis, least, most int32, claimed []claim) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, 1<<32-1) // replica -1: a consumer
	b = be.AppendUint32(b, uint32(waitMillis))
	b = be.AppendUint32(b, uint32(least))
	b = be.AppendUint32(b, uint32(most))
	b = append(b, readCommitted)
	b = be.AppendUint32(b, 0)       // session id
	b = be.AppendUint32(b, 1<<32-1) // session epoch -1: none
	topics := map[string][]claim{}
	var names []string
	for _, c := range claimed {
		if topics[c.Topic] == nil {
			names = append(names, c.Topic)
		}
		topics[c.Topic] = append(topics[c.Topic], c)
	}
	share := shareOf(most, claimed)
	b = be.AppendUint32(b, uint32(len(names)))
	for _, name := range names {
		b = appendString(b, name)
		b = be.AppendUint32(b, uint32(len(topics[name])))
		for _, c := range topics[name] {
			b = be.AppendUint32(b, uint32(c.Partition))
			b = be.AppendUint32(b, uint32(c.epoch))
			b = be.AppendUint64(b, uint64(c.offset))
			b = be.AppendUint64(b, 1<<64-1) // log start offset: a follower's business
			b = be.AppendUint32(b, share)
		}
	}
	b = be.AppendUint32(b, 0) // forgotten topics
	return appendString(b, "")
}

// leastShare is what each partition may answer with, however many there are: a batch that is larger comes whole all the same.
const leastShare = 64 << 10

// shareOf is how many bytes of an answer a partition may take. Only those that have more to read share: if the others counted
// too, a few partitions with a backlog could not fill an answer, and the broker would wait for what cannot come.
func shareOf(most int32, claimed []claim) uint32 {
	behind := int32(0)
	for _, c := range claimed {
		if c.end < 0 || c.offset < c.end {
			behind++
		}
	}
	return uint32(max(most/max(behind, 1), leastShare))
}

// readFetch decodes a Fetch v11 answer. The record sets stay where they are.
func readFetch(body []byte, parts []fetched) ([]fetched, error) {
	r := reader{rest: body}
	r.int32() // throttle time
	if err := broker.Check("fetch", "", r.int16()); err != nil {
		return parts, err
	}
	r.int32() // session id
	for topics := r.int32(); topics > 0 && !r.short; topics-- {
		name := r.string()
		for n := r.int32(); n > 0 && !r.short; n-- {
			f := fetched{TopicPartition: model.TopicPartition{Topic: name, Partition: r.int32()}, code: r.int16()}
			f.high, f.stable = r.int64(), r.int64()
			r.int64() // log start offset
			for aborted := r.int32(); aborted > 0 && !r.short; aborted-- {
				f.aborted = append(f.aborted, recordbatch.Aborted{ProducerID: r.int64(), FirstOffset: r.int64()})
			}
			r.int32() // preferred read replica
			if size := r.int32(); size > 0 {
				f.set = r.take(int(size))
			}
			parts = append(parts, f)
		}
	}
	if r.short {
		return parts, &model.Error{Class: model.Transient, Op: "read the answer to Fetch", Err: errors.New("it is cut short")}
	}
	return parts, nil
}
