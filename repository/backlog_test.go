package repository

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Not parallel: it counts the goroutines of the process.
func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("streams", func(t *testing.T) {
		r := fakeRig(t)
		topic := r.topic(6)
		from := map[int32]int64{}
		for n := range int32(6) {
			r.fill(topic, n, "a")
			from[n] = 0
		}
		for i := range 5 {
			g := r.open(topic, 1<<20, from)
			if i%2 == 0 {
				must(t, g.fetch())
			}
			g.s.Close()
			if _, err := g.s.Next(within(t, 50*time.Millisecond)); err == nil {
				t.Error("a closed stream had something")
			}
		}
	})
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries == 1000 {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// However long the backlog is: one answer that is being worked on and one that waits, for each broker.
func TestReaderThatDoesNotKeepUpHoldsTwoAnswersOfABroker(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(6)
	from, leaders := map[int32]int64{}, map[int32]bool{}
	for n := range int32(6) {
		from[n] = 0
		leaders[r.fake.LeaderFor(topic, n)] = true
		for range 4 {
			r.fill(topic, n, strings.Repeat("x", 100<<10))
		}
	}
	perBroker := func() (most int) {
		counts := map[int32]int{}
		for _, q := range r.asked(kmsg.Fetch) {
			counts[q.node]++
			most = max(most, counts[q.node])
		}
		return most
	}
	g := r.open(topic, 150<<10, from)
	var held []*model.Fetch
	for range len(leaders) {
		f, err := g.s.Next(within(t, 30*time.Second))
		must(t, err)
		held = append(held, f)
	}
	time.Sleep(500 * time.Millisecond)
	if n := perBroker(); n > 2 {
		t.Errorf("%d answers of one broker are in memory", n)
	}
	for _, f := range held {
		f.Release()
	}
	for len(g.values[0])+len(g.values[5]) == 0 {
		must(t, g.fetch())
	}
}

// Brokers fill an answer from the first partition on: one with a backlog must not keep the others from their turn.
func TestPartitionBehindHugeOnesIsServed(t *testing.T) {
	r := newRig(t)
	topic := r.topic(4)
	big := strings.Repeat("x", 200<<10)
	from := map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0}
	for n := range int32(3) {
		for range 15 {
			r.fill(topic, n, big)
		}
	}
	r.fill(topic, 3, "small")
	g := r.open(topic, 256<<10, from)
	for len(g.values[3]) == 0 {
		must(t, g.fetch())
		if g.fetches > 20 {
			t.Fatalf("after %d answers it still waits; others got %d, %d, %d", g.fetches, len(g.values[0]), len(g.values[1]), len(g.values[2]))
		}
	}
	g.until(map[int32][]string{0: slices.Repeat([]string{big}, 15), 1: slices.Repeat([]string{big}, 15), 2: slices.Repeat([]string{big}, 15), 3: {"small"}})
	if g.fetches < 10 {
		t.Errorf("%d answers for 9 MB: the limit of a request is not kept", g.fetches)
	}
}

func TestBatchLargerThanItsShareArrives(t *testing.T) {
	r := newRig(t)
	topic := r.topic(8)
	from, want := map[int32]int64{}, map[int32][]string{}
	for n := range int32(8) {
		from[n] = 0
		want[n] = []string{strings.Repeat(fmt.Sprint(n), 900<<10)}
		r.fill(topic, n, want[n]...)
	}
	r.open(topic, 64<<10, from).until(want)
}
