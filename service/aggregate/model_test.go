package aggregate

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// seeds is how many the model test tries: MODEL_SEEDS, or what fits into half a minute of CPU.
func seeds(t *testing.T) uint64 {
	text := os.Getenv("MODEL_SEEDS")
	if text == "" {
		return defaultSeeds
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("MODEL_SEEDS: %v", err)
	}
	return n
}

// TestEveryWindowIsWhatTheSourceSays runs Combiner, Announcer, Source and Partition on a model of Kafka, through crashes,
// zombies, rebalances, lost answers and late markers, and computes every window and every session from the source alone.
func TestEveryWindowIsWhatTheSourceSays(t *testing.T) {
	if text := os.Getenv("MODEL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("MODEL_SEED: %v", err)
		}
		tell(t, seed)
		return
	}
	var next, failed atomic.Uint64
	all := seeds(t)
	var mu sync.Mutex
	happened := map[string]int{}
	var work sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for seed := next.Add(1); seed <= all && failed.Load() == 0; seed = next.Add(1) {
				w := newWorld(seed, nil)
				if err := w.run(); err != nil {
					failed.CompareAndSwap(0, seed)
				}
				mu.Lock()
				for what, n := range w.happened {
					happened[what] += n
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if seed := failed.Load(); seed > 0 {
		tell(t, seed)
		if !t.Failed() {
			t.Errorf("seed %d failed, and did not when it was repeated: the model is not deterministic", seed)
		}
		return
	}
	for _, what := range []string{
		"transactions committed", "transactions timed out", errFenced.Error(), errRejoin.Error(), errLost.Error(), "crashes", "rebalances", "source partitions added",
		"states kept", "states restored", "updates", "finals", "finals while all was calm", "finals revised", "insights taken back", "partials expired", "anomalies", "logs read again", "letters replayed",
	} {
		t.Logf("%7d %s", happened[what], what)
		if happened[what] == 0 && all >= 2000 {
			t.Errorf("the model has become tame: no %s", what)
		}
	}
}

// tell runs a seed and says what happens.
func tell(t *testing.T, seed uint64) {
	t.Helper()
	var steps strings.Builder
	if err := newWorld(seed, &steps).run(); err != nil {
		t.Errorf("seed %d: %v\nthe steps, with milliseconds before each:\n%s", seed, err, steps.String())
	}
}
