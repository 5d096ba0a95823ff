package integration

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// ask puts a record into the control topic, as the instance does that somebody asks to pause or resume.
func ask(t *testing.T, st *harness.Stream, value []byte) {
	t.Helper()
	if err := st.Client.Send(t.Context(), st.Group+"-control", &kgo.Record{Key: []byte("pause"), Value: value}); err != nil {
		t.Fatal(err)
	}
}

// awaitNote waits until all instances say that they are ready and paused, or that they are ready and not.
func awaitNote(t *testing.T, paused bool, all ...*harness.Instance) {
	t.Helper()
	for _, i := range all {
		harness.Until(t, soon, fmt.Sprintf("%s is ready, paused: %v", i.Name, paused), func(c ctx) error {
			status, body, err := i.Get(c, "/readyz")
			if err == nil && (status != 200 || strings.Contains(body, "by the test") != paused) {
				err = fmt.Errorf("/readyz answers %d: %s", status, body)
			}
			return err
		})
	}
}

// standing waits until nothing is committed for a second, and returns where the group is.
func standing(t *testing.T, st *harness.Stream) map[int32]int64 {
	t.Helper()
	var before map[int32]int64
	harness.Until(t, soon, "the group stands still", func(c ctx) error {
		now, err := st.Client.Committed(c, st.Group, st.Source)
		if err != nil {
			return err
		}
		was := before
		before = now
		time.Sleep(time.Second)
		if !maps.Equal(was, now) {
			return errors.New("it moves")
		}
		return nil
	})
	return before
}

// Three instances stand still together, whatever happens to one of them meanwhile, and go on where they stopped.
func TestPauseHoldsWhileInstancesComeAndGo(t *testing.T) {
	for _, guarantee := range []string{"exactly_once", "at_least_once"} {
		t.Run(guarantee, func(t *testing.T) {
			st := suite.NewStream(t, harness.Partitions(6, 4))
			setting := harness.Env{"DELIVERY_GUARANTEE": guarantee}
			a, b, c := st.Start("a", setting), st.Start("", setting), st.Start("", setting)
			for _, i := range []*harness.Instance{a, b, c} {
				i.AwaitReady(t, soon)
			}
			stop := st.FeedFor(1200)
			time.Sleep(1500 * time.Millisecond)
			began := time.Now()
			ask(t, st, []byte(`{"by":"the test","at":"2026-11-22T10:00:07.120Z","reason":"maintenance"}`))
			awaitNote(t, true, a, b, c)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s until all instances knew", took)
			}
			at := standing(t, st)
			outputs := func() int {
				records, err := st.Client.ReadAll(t.Context(), st.Output)
				if err != nil {
					t.Fatal(err)
				}
				return len(records)
			}
			written := outputs()

			a.Kill()
			a = st.Start("a", setting)
			b.Stop(t)
			d := st.Start("", setting)
			awaitNote(t, true, a, c, d)
			time.Sleep(2 * time.Second)
			if now := standing(t, st); !maps.Equal(now, at) {
				t.Errorf("the group went on from %v to %v", at, now)
			}
			if now := outputs(); now != written {
				t.Errorf("%d outputs were written", now-written)
			}
			for _, i := range []*harness.Instance{a, c, d} {
				if got := i.Metric(t, "stream_engine_paused"); got != 1 {
					t.Errorf("%s: stream_engine_paused is %g", i.Name, got)
				}
			}
			began = time.Now()
			ask(t, st, nil)
			awaitNote(t, false, a, c, d)
			t.Logf("resumed after %s", time.Since(began).Round(time.Millisecond))
			time.Sleep(time.Second)
			stop()
			st.Finish(late)
		})
	}
}

// replaceFile gives the file another content, as editors and Kubernetes do: at once.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// The file changes again and again, once for the worse, while windows are open: they hold what the source holds.
func TestReloadsInTheMiddleOfWindowsLoseNothing(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(6, 3))
	st.Aggregated(harness.TrafficPipeline, nil)
	own := filepath.Join(t.TempDir(), "pipeline.yaml") // of one of the three
	replaceFile(t, own, harness.TrafficPipeline)
	a, b, c := st.Start("a", nil), st.Start("", nil), st.Start("c", harness.Env{"PIPELINE_FILE": own})
	all := []*harness.Instance{a, b, c}
	for _, i := range all {
		i.AwaitReady(t, soon)
	}
	traffic := harness.NewTraffic(7, st.Partitions, time.Now)
	traffic.LongestQuiet = time.Second
	stop := st.FeedTraffic(traffic, 500)
	shared := st.Env["PIPELINE_FILE"]
	reloads := func(i *harness.Instance, outcome string) float64 {
		return i.Metric(t, `stream_engine_pipeline_reloads_total{outcome="`+outcome+`"}`)
	}
	for n := range 6 {
		text := fmt.Sprintf("%s\n# version %d\n", harness.TrafficPipeline, n)
		before := map[*harness.Instance]float64{}
		for _, i := range all {
			before[i] = reloads(i, "changed")
		}
		replaceFile(t, shared, text)
		replaceFile(t, own, text)
		if n%2 == 0 { // otherwise the files are watched
			for _, i := range all {
				i.Signal(syscall.SIGHUP)
			}
		}
		for _, i := range all {
			harness.Until(t, soon, i.Name+" has reloaded", func(ctx) error {
				if now := reloads(i, "changed"); now != before[i]+1 {
					return fmt.Errorf("%g reloads", now-before[i])
				}
				return nil
			})
		}
		if n == 2 { // a mistake is told with its place, and changes nothing
			replaceFile(t, own, strings.Replace(text, "mask_ip(ip)", "mask_up(ip)", 1))
			c.Signal(syscall.SIGHUP)
			c.Says(t, soon, `"error"`, own+":10:9", "mask_up", "goes on with the one before")
			replaceFile(t, own, text)
		}
		if n == 4 {
			a.Kill()
			a = st.Start("a", nil)
			all[0] = a
			a.AwaitReady(t, soon)
		}
		time.Sleep(time.Second)
	}
	stop()
	st.AwaitDone(soon)
	windowsAreRight(t, st, harness.Hearing{Aggregates: harness.TrafficAggregates(), Judge: harness.Judge{Refuse: harness.RefusedByTraffic}})
	for _, i := range all {
		i.Stop(t)
	}
	if statuses := told(t, st); len(statuses) > 0 {
		t.Errorf("after a clean stop of all there are statuses of %v", statuses)
	}
}

// told are the instances of which the control topic still has a status.
func told(t *testing.T, st *harness.Stream) []string {
	t.Helper()
	records, err := st.Client.ReadAll(t.Context(), st.Group+"-control")
	if err != nil {
		t.Fatal(err)
	}
	last := map[string][]byte{}
	for _, r := range records {
		if name, ok := strings.CutPrefix(string(r.Key), "instance/"); ok {
			last[name] = r.Value
		}
	}
	maps.DeleteFunc(last, func(_ string, value []byte) bool { return value == nil })
	return slices.Sorted(maps.Keys(last))
}

// A group that was paused with windows open finds them open when it goes on, however long that was.
func TestWindowsStandStillWhileTheGroupIsPaused(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(4, 3))
	st.Aggregated(harness.TrafficPipeline, harness.Env{"IDLE_TIMEOUT": "2s", "EMIT_INTERVAL": "200ms"})
	a, b := st.Start("a", nil), st.Start("b", nil)
	a.AwaitReady(t, soon)
	b.AwaitReady(t, soon)
	traffic := harness.NewTraffic(9, st.Partitions, time.Now)
	traffic.LongestQuiet = time.Second
	stop := st.FeedTraffic(traffic, 300)
	time.Sleep(4 * time.Second)
	ask(t, st, []byte(`{"by":"the test","at":"2026-11-22T10:00:07.120Z"}`))
	awaitNote(t, true, a, b)
	standing(t, st)
	insights := func() int {
		records, err := st.Client.ReadAll(t.Context(), st.Group+"-insights")
		if err != nil {
			t.Fatal(err)
		}
		return len(records)
	}
	written := insights()
	time.Sleep(5 * time.Second) // longer than it takes a partition to be idle, and its windows to close
	b.Stop(t)
	a.Kill()
	a = st.Start("a", nil)
	awaitNote(t, true, a)
	if now := insights(); now != written {
		t.Errorf("%d insights were written while the group is paused", now-written)
	}
	ask(t, st, nil)
	time.Sleep(time.Second)
	stop()
	st.AwaitDone(late)
	verdict := windowsAreRight(t, st, harness.Hearing{Aggregates: harness.TrafficAggregates(), Judge: harness.Judge{Refuse: harness.RefusedByTraffic}})
	if verdict.Revised > 0 {
		t.Errorf("%d windows were final too early", verdict.Revised)
	}
}
