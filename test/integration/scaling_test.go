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
// doubled or reordered, and what each change costs is told. An instance with a name may come back, so that its partitions wait
// for the end of its session; one without leaves them to the others at once.
func TestScalingUpAndDownUnderLoad(t *testing.T) {
	for kind, name := range map[string]string{"with INSTANCE_ID": "engine-%d", "without": ""} {
		t.Run(kind, func(t *testing.T) {
			s := &scaling{Stream: suite.NewStream(t, harness.Partitions(8, 4)), t: t, name: name}
			stop := s.FeedFor(1500)
			s.watch = watchCommits(t, s.Stream)
			for _, n := range []int{1, 2, 4, 1} {
				s.to(n)
			}
			stop()
			s.Finish(soon)
		})
	}
}

// scaling is a stream with a number of instances that changes.
type scaling struct {
	*harness.Stream
	t       *testing.T
	name    string // of an instance, by its number
	watch   *commits
	running []*harness.Instance
}

// to starts and stops instances until there are n, and waits until nothing waits any more.
func (s *scaling) to(n int) {
	s.t.Helper()
	before, began := len(s.running), s.watch.change()
	for len(s.running) < n {
		id := s.name
		if id != "" {
			id = fmt.Sprintf(id, len(s.running))
		}
		s.running = append(s.running, s.Start(id, nil))
	}
	for ; len(s.running) > n; s.running = s.running[:len(s.running)-1] {
		s.running[len(s.running)-1].Stop(s.t)
	}
	for _, i := range s.running {
		i.AwaitReady(s.t, soon)
		harness.Until(s.t, soon, i.Name+" has a share of the work", func(_ ctx) error {
			if i.Events(s.t, "forwarded") == 0 {
				return fmt.Errorf("%s has forwarded nothing", i.Name)
			}
			return nil
		})
	}
	s.watch.caughtUp()
	took := time.Since(began)
	group, partition := s.watch.gaps()
	s.t.Logf("%d -> %d instances: nothing waits after %s; the group stood still for %s, one partition for %s at most", before, n,
		took.Round(100*time.Millisecond), group.Round(10*time.Millisecond), partition.Round(10*time.Millisecond))
	if partition > stillest {
		s.t.Errorf("%d -> %d instances: a partition stood still for %s", before, n, partition)
	}
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
