package integration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// Three groups work on one source log: one engine at full speed, three engines that are killed and stopped, one in small
// steps. Their finals are the same bytes.
func TestFinalsAreAFunctionOfTheSourceLog(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(6, 3))
	st.Aggregated(harness.TrafficPipeline, nil)
	sent := sendTraffic(t, st, 15000)

	fast := st.Start("", nil)
	st.AwaitDone(late)
	slow := st.Beside("slow")
	slowly := slow.Start("", harness.Env{"COMMIT_MAX_RECORDS": "100", "COMMIT_INTERVAL": "20ms", "EMIT_INTERVAL": "100ms"})
	slow.AwaitDone(late)
	crowd := st.Beside("crowd")
	engines := restarts(t, crowd, sent)
	crowd.AwaitDone(late)

	hearing := harness.Hearing{Aggregates: harness.TrafficAggregates(), Judge: harness.Judge{Refuse: harness.RefusedByTraffic}}
	replay := st.Replay(hearing)
	streams := map[string]*harness.Stream{"fast": st, "slow": slow, "crowd": crowd}
	finals := map[string]map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		verdict, err := streams[name].AwaitWindows(hearing, replay, late)
		if err == nil {
			err = verdict.Err()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Logf("%s: %s", name, verdict)
		finals[name] = streams[name].Finals()
	}
	for _, i := range append(engines, fast, slowly) {
		i.Stop(t)
	}
	for _, name := range []string{"slow", "crowd"} {
		for _, d := range differences(finals["fast"], finals[name]) {
			t.Errorf("%s and fast: %s", name, d)
		}
		report, err := streams[name].CompareLate(hearing, replay)
		if err == nil {
			err = report.Err()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A partition without events holds windows open until its owner says that it is idle; when all are, time goes on by itself.
func TestWindowsCloseWhenPartitionsAreIdle(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(5, 3))
	st.Aggregated(harness.TrafficPipeline, harness.Env{"IDLE_TIMEOUT": "5s"})
	for _, name := range []string{"a", ""} {
		st.Start(name, nil).AwaitReady(t, soon)
	}
	traffic := harness.NewTraffic(2, 4, time.Now) // nothing is in the fifth
	traffic.LongestQuiet = time.Second
	stop := st.FeedTraffic(traffic, 400)
	time.Sleep(8 * time.Second)
	stop()
	st.AwaitDone(soon)
	hearing := harness.Hearing{Aggregates: harness.TrafficAggregates(), Judge: harness.Judge{Refuse: harness.RefusedByTraffic}}
	windowsAreRight(t, st, hearing)
}

// Windows that closed while a partition was idle are revised when it comes back with events that are not late for it.
func TestFinalsAreRevisedWhenAnIdlePartitionComesBack(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(2, 2))
	st.Aggregated(harness.TrafficPipeline, harness.Env{"IDLE_TIMEOUT": "1s", "EMIT_INTERVAL": "200ms"})
	st.Start("", nil).AwaitReady(t, soon)
	clock := time.Now().Add(-time.Hour)
	now := func() time.Time { clock = clock.Add(5 * time.Millisecond); return clock }
	traffic := harness.NewTraffic(3, 2, now)
	st.SendTraffic(batch(traffic, 1000)...)
	st.AwaitDone(soon)
	both := clock
	traffic.Spread(1) // the other one has nothing for so long that it is idle
	st.SendTraffic(batch(traffic, 500)...)
	time.Sleep(3 * time.Second)
	st.SendTraffic(batch(traffic, 2000)...)
	st.AwaitDone(soon)
	time.Sleep(2 * time.Second)
	ahead := clock
	clock = both // it comes back where it stopped
	missed := batch(traffic, 1000)
	for _, r := range missed {
		r.Partition = 1
	}
	st.SendTraffic(missed...)
	traffic.Spread(2)
	st.SendTraffic(traffic.Closing(ahead.Add(time.Minute))...)
	st.AwaitDone(soon)
	verdict := windowsAreRight(t, st, harness.Hearing{
		Aggregates: harness.TrafficAggregates(), Judge: harness.Judge{Refuse: harness.RefusedByTraffic}, Young: []int32{0, 1}, // both were idle while the test slept
	})
	if verdict.Revised == 0 {
		t.Error("no final was revised: the test is about nothing")
	}
}

// windowsAreRight waits until they are.
func windowsAreRight(t *testing.T, st *harness.Stream, hearing harness.Hearing) *harness.Verdict {
	t.Helper()
	replay := st.Replay(hearing)
	verdict, err := st.AwaitWindows(hearing, replay, late)
	if err == nil {
		err = verdict.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(verdict)
	report, err := st.CompareLate(hearing, replay)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		t.Error(err)
	}
	return verdict
}

// sendTraffic sends events of an hour ago, two milliseconds apart, and those that close all their windows.
func sendTraffic(t *testing.T, st *harness.Stream, count int) (sent int64) {
	t.Helper()
	clock := time.Now().Add(-time.Hour)
	traffic := harness.NewTraffic(1, st.Partitions, func() time.Time { clock = clock.Add(2 * time.Millisecond); return clock })
	for range count / 1000 {
		st.SendTraffic(batch(traffic, 1000)...)
	}
	st.SendTraffic(traffic.Closing(clock.Add(time.Minute))...)
	t.Log(traffic.Kinds())
	return int64(count)
}

func batch(traffic *harness.Traffic, count int) []*kgo.Record {
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = traffic.Next()
	}
	return records
}

// restarts has three engines work, of which one is killed or stopped again and again while there is work left.
func restarts(t *testing.T, st *harness.Stream, sent int64) []*harness.Instance {
	t.Helper()
	small := harness.Env{"COMMIT_MAX_RECORDS": "150", "COMMIT_INTERVAL": "20ms", "EMIT_INTERVAL": "200ms"}
	names := []string{"a", "b", ""}
	engines := make([]*harness.Instance, len(names))
	for i, name := range names {
		engines[i] = st.Start(name, small)
	}
	restarted := 0
	for n, goal := 0, int64(0); goal < sent*9/10; n++ {
		goal = committed(t, st, goal+sent/10)
		i := n % 2 // the static ones
		if n%3 == 2 {
			engines[i].Stop(t)
		} else {
			engines[i].Kill()
		}
		engines[i] = st.Start(names[i], small)
		restarted++
	}
	if restarted < 3 {
		t.Errorf("only %d restarts: the work was done too fast", restarted)
	}
	return engines
}

// committed waits until the group has committed that many events, and returns how many it has.
func committed(t *testing.T, st *harness.Stream, goal int64) (sum int64) {
	t.Helper()
	harness.Until(t, late, fmt.Sprintf("%d events are committed", goal), func(c ctx) error {
		offsets, err := st.Client.Committed(c, st.Group, st.Source)
		if err != nil {
			return err
		}
		sum = 0
		for _, offset := range offsets {
			sum += offset
		}
		if sum < goal {
			return errors.New("not yet: " + fmt.Sprint(sum))
		}
		return nil
	})
	return sum
}

// differences are the first ones between the finals of two groups.
func differences(a, b map[string]string) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if other, ok := b[key]; !ok {
			list = append(list, key+" is missing")
		} else if other != a[key] {
			list = append(list, fmt.Sprintf("%s is %s, not %s", key, other, a[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[key]; !ok {
			list = append(list, key+" is too many")
		}
	}
	return list[:min(len(list), 5)]
}
