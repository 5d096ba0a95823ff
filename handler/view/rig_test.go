package view

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// began is when everything in these tests starts.
var began = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// rig is a view of made-up surroundings, and a clock.
type rig struct {
	*View
	t *testing.T

	mu        sync.Mutex
	now       time.Time
	observed  handler.Observed
	pause     *model.Pause
	instances []model.InstanceStatus
	storage   Storage
	loadedAt  time.Time
	spec      *model.Pipeline
	processor *service.Processor
	text      string
	counts    map[string]int32
	countErr  error
}

// newRig is an instance that reads two of six partitions in step.
func newRig(t *testing.T) *rig {
	t.Helper()
	text, err := os.ReadFile("../../pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, now: began.Add(time.Hour), loadedAt: began, text: string(text), storage: Storage{Kind: "sqlite", OK: true}, counts: map[string]int32{"user-login": 6, "user-login-partials": 6}}
	r.parse(string(text))
	r.observed = handler.Observed{Instance: "engine-1", Phase: handler.StateReading, Generations: 3, Exact: true, Report: handler.Report{Ready: true}, LastCommit: r.now}
	r.observed.Source, r.observed.Merging = sources(0, 2), merging(0, 2)
	r.instances = []model.InstanceStatus{other("engine-2", 2, 4), other("engine-3", 4, 6)}
	r.View = New(Config{Group: "user-login", Delivery: "exactly_once", Version: "1.4.0", Brokers: []string{"10.4.0.11:9092", "10.4.0.12:9092"}, StartedAt: began, SessionTimeout: 45 * time.Second},
		Sources{Engine: r, Loader: r, Counter: r, Group: r, Recorder: r})
	r.clock = func() time.Time { return r.now }
	if err := r.countOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) parse(text string) {
	r.t.Helper()
	spec, err := service.ParsePipeline("pipeline.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := service.NewProcessor(spec, service.Options{Group: "user-login", HashKey: "0123456789abcdef"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.spec, r.processor, r.text = spec, p, text
}

// sources are partitions that are read in step.
func sources(from, to int32) (list []handler.SourceState) {
	for p := from; p < to; p++ {
		list = append(list, handler.SourceState{Partition: p, Position: 1000, End: 1000, Watermark: began.UnixMilli()})
	}
	return list
}

func merging(from, to int32) (list []handler.MergeState) {
	for p := from; p < to; p++ {
		list = append(list, handler.MergeState{Partition: p, Watermark: began.UnixMilli(), Open: 5, Groups: 7, Restored: 1})
	}
	return list
}

// other is another instance that reads partitions in step.
func other(name string, from, to int32) model.InstanceStatus {
	i := model.InstanceStatus{Instance: name, Alive: true, Ready: true, State: handler.StateReading, Rates: model.Rates{In: 100, Forwarded: 100, Edges: map[string]float64{"source>filter": 100}}}
	for p := from; p < to; p++ {
		i.Partitions = append(i.Partitions, model.PartitionStatus{Partition: p, State: stateActive, Position: 1000, End: new(int64(1000)), Lag: new(int64(0)), Watermark: &began})
		i.Merging = append(i.Merging, model.MergeStatus{Partition: p, Watermark: &began, Restored: 1})
	}
	return i
}

func (r *rig) Observed() handler.Observed {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.observed
	o.Surveyed = r.now
	return o
}

func (r *rig) Paused() *model.Pause { return r.pause }

func (r *rig) Instances() []model.InstanceStatus { return r.instances }

func (r *rig) State() Storage { return r.storage }

func (r *rig) Loaded() (*model.Pipeline, *service.Processor, string, time.Time) {
	return r.spec, r.processor, r.text, r.loadedAt
}

func (r *rig) PartitionCounts(context.Context, []string) (map[string]int32, error) {
	return r.counts, r.countErr
}

// pass lets seconds go by, in each of which this instance reads so many events, all of which are forwarded.
func (r *rig) pass(seconds, events int, each ...func()) {
	for range seconds {
		r.now = r.now.Add(time.Second)
		r.mu.Lock()
		r.observed.Totals.Consumed += events
		r.observed.Totals.Forwarded += events
		r.mu.Unlock()
		for _, f := range each {
			f()
		}
		r.Look(r.now)
	}
}

// requireSays holds what is said first.
func (r *rig) requireSays(level model.Level, title string) {
	r.t.Helper()
	if s := r.Status(); s.Level != level || s.Title != title {
		r.t.Errorf("%s: %s. %s; want %s: %s", s.Level, s.Title, s.Reason, level, title)
	}
}

// behindBy sets the lag of this instance's first partition.
func (r *rig) behindBy(lag int64) { r.observed.Source[0].End = r.observed.Source[0].Position + lag }
