package app_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// rewrite changes the instance's pipeline file as an editor does: another file takes its name.
func (e *engine) rewrite(text string) {
	e.t.Helper()
	next := filepath.Join(e.dir, "pipeline.yaml.new")
	must(e.t, os.WriteFile(next, []byte(text), 0o600))
	must(e.t, os.Rename(next, filepath.Join(e.dir, "pipeline.yaml")))
}

// reload has the instance read its file again.
func (e *engine) reload() model.Reloaded {
	e.t.Helper()
	done, err := e.app.Reload(e.t.Context())
	must(e.t, err)
	return done
}

// Under traffic, reloads lose nothing, double nothing, and nobody joins the group again.
func TestReloadUnderTrafficIsBetweenTwoCommits(t *testing.T) {
	t.Parallel()
	for _, guarantee := range []string{"exactly_once", "at_least_once"} {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			one, two := r.start("DELIVERY_GUARANTEE="+guarantee), r.start("DELIVERY_GUARANTEE="+guarantee)
			r.eventually("both at work", func() bool { r.feed(4); return one.ready() && two.ready() })
			stop := make(chan struct{})
			var feeding sync.WaitGroup
			feeding.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
						r.feed(20)
					}
				}
			})
			r.eventually("outputs", func() bool { return len(r.committed(outputTopic)) > 100 })
			joins := len(asked[*kmsg.JoinGroupRequest](r))
			var longest time.Duration
			for n := range 20 {
				filter := []string{`kind != "noise"`, `kind != "noise" && n >= 0`}[n%2]
				for _, e := range []*engine{one, two} {
					e.rewrite(strings.Replace(plainPipeline, `kind != "noise"`, filter, 1))
					began := time.Now()
					if done := e.reload(); n > 0 && (len(done.Changed) != 1 || done.Changed[0].What != "filter" || done.Changed[0].To != filter) {
						t.Errorf("changed: %+v", done.Changed)
					}
					longest = max(longest, time.Since(began))
				}
			}
			close(stop)
			feeding.Wait()
			r.exactlyOnce()
			if now := len(asked[*kmsg.JoinGroupRequest](r)); now != joins {
				t.Errorf("the group was joined again %d times", now-joins)
			}
			t.Logf("the longest of 40 reloads took %s", longest)
			if n := one.metric(`stream_engine_pipeline_reloads_total{outcome="changed"}`); n < 19 {
				t.Errorf("%v reloads were counted", n)
			}
		})
	}
}

// What has changed is in use, down to new topics, and what is loaded is known to those who ask.
func TestReloadTakesOverFiltersFieldsAndTopics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("KAFKA_AUTO_CREATE_TOPICS=true")
	r.feed(24)
	r.exactlyOnce()
	_, _, text, before := e.app.Loaded()
	if text != plainPipeline {
		t.Errorf("loaded is %q", text)
	}
	changed := strings.NewReplacer(`output:`, "transform: {set: {pad: '\"changed\"'}}\noutput:\n  - {topic: more, when: n % 2 == 0}").Replace(plainPipeline)
	e.rewrite(changed)
	done := e.reload()
	if len(done.Changed) != 2 || done.Changed[0].What != "transform.set.pad" || done.Changed[1].What != "output.more" {
		t.Errorf("changed: %+v", done.Changed)
	}
	spec, processor, text, at := e.app.Loaded()
	if len(spec.Outputs) != 2 || len(processor.Topics()) != 3 || text != changed || !at.After(before) {
		t.Errorf("loaded: %+v at %s", spec, at)
	}
	r.feed(24)
	r.exactlyOnce()
	if n := len(r.committed("more")); n != 12 {
		t.Errorf("%d events are in the new topic", n)
	}
	marked := 0
	for _, m := range r.committed(outputTopic) {
		if strings.Contains(string(m.Value), "changed") {
			marked++
		}
	}
	if marked != 24 {
		t.Errorf("%d events have the new field", marked)
	}
	if again := e.reload(); len(again.Changed) != 0 {
		t.Errorf("the same file: %+v", again.Changed)
	}
	e.rewrite(plainPipeline)
	if back := e.reload(); len(back.Changed) != 2 || back.Changed[1].From == "" || back.Changed[1].To != "" {
		t.Errorf("and back: %+v", back.Changed)
	}
	r.feed(24)
	r.exactlyOnce()
	if n := len(r.committed("more")); n != 12 {
		t.Errorf("%d events are in the topic that is none any more", n)
	}
}

func TestReloadThatCannotBeChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	r.feed(24)
	r.exactlyOnce()
	for name, c := range map[string]struct {
		text  string
		class model.Class
		says  []string
	}{
		"mistake":       {strings.Replace(plainPipeline, "kind !=", "lowr(kind) !=", 1), model.Misconfigured, []string{"pipeline.yaml:4:9", "lowr"}},
		"no YAML":       {"{{{", model.Misconfigured, []string{"pipeline.yaml:1"}},
		"empty":         {"", model.Misconfigured, []string{"pipeline.yaml"}},
		"source":        {strings.Replace(plainPipeline, "topic: in", "topic: other", 1), model.Conflict, []string{"source.topic", "other", "restart"}},
		"group":         {strings.Replace(plainPipeline, "name: engine", "name: other", 1), model.Conflict, []string{"KAFKA_GROUP_ID=engine", "restart"}},
		"missing topic": {plainPipeline + "  - topic: missing\n", model.Misconfigured, []string{"missing", "KAFKA_AUTO_CREATE_TOPICS"}},
		"hash key":      {strings.Replace(plainPipeline, `kind != "noise"`, `hash(kind) != ""`, 1), model.Misconfigured, []string{"HASH_KEY"}},
	} {
		e.rewrite(c.text)
		_, err := e.app.Reload(t.Context())
		if err == nil || model.ClassOf(err) != c.class {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", name, err, want)
			}
		}
		var problems service.Problems
		if bad := errors.As(err, &problems); bad != (name == "mistake" || name == "no YAML" || name == "empty" || name == "hash key") {
			t.Errorf("%s: problems: %v", name, problems)
		}
		r.feed(24)
		r.exactlyOnce()
	}
	must(t, os.Remove(filepath.Join(e.dir, "pipeline.yaml")))
	if _, err := e.app.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "pipeline.yaml") {
		t.Errorf("a file that is gone: %v", err)
	}
	if _, _, text, _ := e.app.Loaded(); text != plainPipeline {
		t.Error("something else is loaded")
	}
	if n := e.metric(`stream_engine_pipeline_reloads_total{outcome="refused"}`); n < 6 {
		t.Errorf("%v refusals were counted", n)
	}
}

// With another name but the same group id there is nothing that would have to be restarted.
func TestReloadMayRenameThePipelineWhenTheGroupHasItsOwnName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("KAFKA_GROUP_ID=" + groupID)
	e.rewrite(strings.Replace(plainPipeline, "name: engine", "name: other", 1))
	if done := e.reload(); len(done.Changed) != 1 || done.Changed[0].What != "name" {
		t.Errorf("changed: %+v", done.Changed)
	}
	r.feed(24)
	r.exactlyOnce()
}

// Brokers that are away keep a reload from coming about, and the stream from nothing.
func TestReloadWithoutBrokersGivesUpAndChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("TRANSACTION_TIMEOUT=2s")
	r.feed(24)
	r.exactlyOnce()
	r.wire.every(func(kmsg.Key) deed { return deed{drop: true} })
	r.feed(24)
	r.eventually("away", func() bool { return !e.ready() })
	e.rewrite(plainPipeline + "  - topic: missing\n")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := e.app.Reload(ctx); err == nil {
		t.Error("it succeeded")
	}
	r.wire.every(nil)
	r.exactlyOnce()
	if spec, _, _, _ := e.app.Loaded(); len(spec.Outputs) != 1 {
		t.Error("it came about later")
	}
	r.eventually("ready", e.ready)
	if !e.says(`"level":"error"`, "find topic missing") { // as the watched file does as well
		r.eventually("the reason in the log", func() bool { return e.says(`"level":"error"`, "find topic missing") })
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !e.ready() {
			t.Fatal("a topic that a reload waits for keeps the instance from being ready")
		}
	}
	if n := strings.Count(e.log.String(), "find topic missing"); n > 2 {
		t.Errorf("the log says %d times that the topic is missing", n)
	}
}

func TestReloadWhilePausedHoldsWhenTheGroupGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	r.feed(12, func(x *event) { x.Kind = "noise" })
	r.caughtUp()
	e.pause()
	r.eventually("standing still", func() bool { return r.still(e) })
	e.rewrite(strings.Replace(plainPipeline, `kind != "noise"`, "n < 0", 1))
	e.reload()
	r.feed(24)
	r.requireStill()
	e.resume()
	r.caughtUp()
	if n := len(r.committed(outputTopic)); n != 0 {
		t.Errorf("%d events passed the old filter", n)
	}
}

// The file is watched, whatever way it changes.
func TestFileThatChangesIsTakenOverByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	path := filepath.Join(e.dir, "pipeline.yaml")
	with := func(filter string) string { return strings.Replace(plainPipeline, `kind != "noise"`, filter, 1) }
	taken := func(filter string) func() bool {
		return func() bool {
			spec, _, _, _ := e.app.Loaded()
			return spec.Filter.Text == filter
		}
	}
	e.rewrite(with("n >= 1")) // renamed
	r.eventually("the renamed file", taken("n >= 1"))
	must(t, os.WriteFile(path, []byte(with("n >= 2")), 0o600)) // written over
	r.eventually("the file that was written over", taken("n >= 2"))
	for n, filter := range []string{"n >= 3", "n >= 4"} { // as Kubernetes does it
		folder := filepath.Join(e.dir, "..data_"+string(rune('a'+n)))
		must(t, os.Mkdir(folder, 0o700))
		must(t, os.WriteFile(filepath.Join(folder, "pipeline.yaml"), []byte(with(filter)), 0o600))
		must(t, os.Symlink(folder, filepath.Join(e.dir, "..tmp")))
		must(t, os.Rename(filepath.Join(e.dir, "..tmp"), filepath.Join(e.dir, "..data")))
		if n == 0 {
			must(t, os.Remove(path))
			must(t, os.Symlink("..data/pipeline.yaml", path))
		}
		r.eventually("the swapped folder", taken(filter))
	}
	for range 2 {
		e.rewrite(with("lowr(kind) != 7"))
		r.eventually("the reason in the log", func() bool { return e.says(`"level":"error"`, "pipeline.yaml:4:9", "lowr") })
	}
	time.Sleep(5 * time.Second)
	if n := strings.Count(e.log.String(), "has mistakes"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
	must(t, os.Remove(path))
	r.eventually("the reason in the log", func() bool { return e.says(`"level":"error"`, "no such file") })
	e.rewrite(plainPipeline)
	r.eventually("the mended file", taken(`kind != "noise"`))
	r.feed(24)
	r.exactlyOnce()
}

// A signal is for the whole process: all instances in it read their files again.
func TestHangupReadsTheFileAgain(t *testing.T) {
	r := newRig(t)
	e := r.start()
	r.feed(12)
	r.exactlyOnce()
	e.rewrite(strings.Replace(plainPipeline, "kind !=", "lowr(kind) !=", 1))
	must(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	r.eventually("the mistake in the log", func() bool { return e.says(`"level":"error"`, "pipeline.yaml:4:9") })
	e.rewrite(strings.Replace(plainPipeline, `kind != "noise"`, "n >= 0", 1))
	must(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	r.eventually("the new file", func() bool {
		spec, _, _, _ := e.app.Loaded()
		return spec.Filter.Text == "n >= 0"
	})
	r.feed(12)
	r.exactlyOnce()
}
