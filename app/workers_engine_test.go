package app_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// backlog writes events to the source, in large batches.
func (r *rig) backlog(n int, change ...func(*event)) {
	r.t.Helper()
	var records []*kgo.Record
	for _, e := range r.next(n, change...) {
		records = append(records, record(e))
	}
	for len(records) > 0 {
		some := records[:min(len(records), 2000)]
		r.write(some...)
		records = records[len(some):]
	}
}

// large counts the answers to Fetch that are worth several workers.
func (r *rig) large() *atomic.Int64 {
	var n atomic.Int64
	r.wire.on(kmsg.Fetch, func(int) deed {
		return deed{rewrite: func(p []byte) {
			if len(p) >= 512<<10 {
				n.Add(1)
			}
		}}
	})
	return &n
}

// noisy makes values that do not become small when they are compressed.
func noisy(e *event) {
	seed, pad := uint64(e.N)*0x9e3779b97f4a7c15+1, make([]byte, 200)
	for i := range pad {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		pad[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"[seed%64]
	}
	e.Pad = string(pad)
}

// Catching up is work for several goroutines, and what comes afterwards for one; a slow commit lets transactions hold
// some of both. The order of a user's events survives that, with each form of compression. It takes all processors, so
// that no other test runs beside it.
func TestOrderSurvivesWorkersThatShareTheWorkAndNot(t *testing.T) {
	for _, codec := range []string{"none", "lz4", "snappy", "zstd", "gzip"} {
		t.Run(codec, func(t *testing.T) {
			r := newRig(t, kfake.NumBrokers(1)) // one answer brings all partitions: with more leaders, how large one gets is chance
			large := r.large()
			r.backlog(12_000, noisy)
			e := r.start("KAFKA_COMPRESSION="+codec, "COMMIT_INTERVAL=300ms", "KAFKA_FETCH_MAX_BYTES=1MiB")
			r.eventually("readiness", e.ready)
			for range 3 {
				r.feed(10 * users)
				r.backlog(4_000, noisy)
			}
			r.exactlyOnce()
			if n := large.Load(); n < 2 {
				t.Errorf("%d large fetches", n)
			}
			if n := e.metric(`stream_engine_events_total{outcome="forwarded"}`); int(n) != r.sent {
				t.Errorf("%v of %d forwarded", n, r.sent)
			}
		})
	}
}

func TestBatchThatCannotBeReadDoesNotDisturbThoseBesideIt(t *testing.T) {
	r := newRig(t)
	times := r.damage(1 << 30)
	r.backlog(12_000, noisy)
	first := r.around(event{User: "u8", N: -3, Pad: damaged + strings.Repeat(".", 100)})
	r.backlog(12_000, noisy)
	e := r.start("COMMIT_INTERVAL=1s")
	r.exactlyOnce()
	if n := times.Load(); n != 3 {
		t.Errorf("fetched %d times", n)
	}
	r.requireRange(first, "crc_mismatch")
	e.requireCounts(24_000+4*users, 1)
}
