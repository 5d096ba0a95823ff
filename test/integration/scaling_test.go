package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

// stillest bounds for how long a partition may stand still when instances come and go in order. It is many times what is seen.
const stillest = 30 * time.Second

// One instance becomes two, four, and one again, under load. Each has its share, what waits is caught up with, nothing is lost,
// doubled or reordered, and what each change costs is told.
func TestScalingUpAndDownUnderLoad(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(8, 4))
	stop := st.FeedFor(1500)
	w := watchCommits(t, st)
	var running []*harness.Instance
	for _, n := range []int{1, 2, 4, 1} {
		before := len(running)
		began := w.change()
		for len(running) < n {
			running = append(running, st.Start(fmt.Sprintf("engine-%d", len(running)), nil))
		}
		for len(running) > n {
			last := running[len(running)-1]
			running = running[:len(running)-1]
			last.Stop(t)
		}
		for _, i := range running {
			i.AwaitReady(t, soon)
			harness.Until(t, soon, i.Name+" has a share of the work", func(_ ctx) error {
				if i.Events(t, "forwarded") == 0 {
					return fmt.Errorf("%s has forwarded nothing", i.Name)
				}
				return nil
			})
		}
		w.caughtUp()
		took := time.Since(began)
		group, partition := w.gaps()
		t.Logf("%d -> %d instances: nothing waits after %s; the group stood still for %s, one partition for %s at most", before, n,
			took.Round(100*time.Millisecond), group.Round(10*time.Millisecond), partition.Round(10*time.Millisecond))
		if partition > stillest {
			t.Errorf("%d -> %d instances: a partition stood still for %s", before, n, partition)
		}
	}
	stop()
	st.Finish(soon)
}

// commits watches what a group commits, from outside.
type commits struct {
	t  *testing.T
	st *harness.Stream

	mu               sync.Mutex
	at               map[int32]int64
	moved            map[int32]time.Time // when a partition's offset was seen to move
	any              time.Time           // when one of them was
	group, partition time.Duration       // the longest times without, since the last change
}

func watchCommits(t *testing.T, st *harness.Stream) *commits {
	t.Helper()
	w := &commits{t: t, st: st, at: map[int32]int64{}, moved: map[int32]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if offsets, err := st.Client.Committed(ctx, st.Group, st.Source); err == nil {
				w.see(offsets, time.Now())
			}
			time.Sleep(25 * time.Millisecond)
		}
	}()
	return w
}

func (w *commits) see(offsets map[int32]int64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p, offset := range offsets {
		if offset == w.at[p] {
			continue
		}
		if last, known := w.moved[p]; known {
			w.partition, w.group = max(w.partition, now.Sub(last)), max(w.group, now.Sub(w.any))
		}
		w.at[p], w.moved[p], w.any = offset, now, now
	}
}

// change begins to measure anew.
func (w *commits) change() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.group, w.partition = 0, 0
	return time.Now()
}

func (w *commits) gaps() (group, partition time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.group, w.partition
}

// caughtUp waits until everything is committed that is there now.
func (w *commits) caughtUp() {
	w.t.Helper()
	ends := w.st.Ends()
	harness.Until(w.t, late, "the group has caught up", func(_ ctx) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for p, end := range ends {
			if w.at[p] < end {
				return fmt.Errorf("partition %d: committed %d of %d", p, w.at[p], end)
			}
		}
		return nil
	})
}
