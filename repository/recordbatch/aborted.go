package recordbatch

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Aborted is an entry of a Fetch response's list of aborted transactions: the producer's records from FirstOffset on
// are dropped, up to its next abort marker.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// transactions knows whose records are dropped at the place that the walk has come to (KIP-98; the same steps as
// org.apache.kafka.clients.consumer.internals.CompletedFetch).
type transactions struct {
	waiting []Aborted // those that begin further on, by offset
	buf     []Aborted
	active  []int64 // producers inside of an aborted transaction; few
}

func (t *transactions) reset(list []Aborted) {
	t.buf = append(t.buf[:0], list...)
	slices.SortFunc(t.buf, func(a, b Aborted) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	t.waiting, t.active = t.buf, t.active[:0]
}

// advance begins the transactions whose first offset is in the batch that ends at last, or before it.
func (t *transactions) advance(last int64) {
	for len(t.waiting) > 0 && t.waiting[0].FirstOffset <= last {
		if id := t.waiting[0].ProducerID; !t.dropping(id) {
			t.active = append(t.active, id)
		}
		t.waiting = t.waiting[1:]
	}
}

// dropping tells whether the producer's transactional records are aborted here.
func (t *transactions) dropping(producerID int64) bool {
	return len(t.active) > 0 && slices.Contains(t.active, producerID)
}

// ended takes note of an abort marker.
func (t *transactions) ended(producerID int64) {
	if i := slices.Index(t.active, producerID); i >= 0 {
		t.active = slices.Delete(t.active, i, i+1)
	}
}

// abortMarker tells whether the key of a control record is that of an abort marker. Any other type - commit, and those
// that brokers may add - ends nothing that is being dropped.
func abortMarker(key []byte) bool {
	const version, kind, abort = 0, 2, 0
	return len(key) >= kind+2 && int16(binary.BigEndian.Uint16(key[version:])) >= 0 && binary.BigEndian.Uint16(key[kind:]) == abort
}
