package handler

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/service/aggregate"
)

const countingPipeline = `
name: p
source: {topic: in, event_time: at}
output: [{topic: out}]
aggregates: [{name: a, group_by: [g], window: {tumbling: 1m}, measures: {n: count()}, max_groups: 1000000}]
`

// mergeRig is a merger over one partition of partials that lies in memory.
type mergeRig struct {
	*Engine
	watched watched
	m       *merger
	sink    *ledgerSink

	mu       sync.Mutex
	partials [][]byte
	changed  []model.Message // the changelog
	silent   bool            // Read has no answer for the partition
	failing  error           // of Read
}

const partialsOfRig = "g-partials"

func newMergeRig(t *testing.T, cfg Config) *mergeRig {
	t.Helper()
	r := &mergeRig{watched: newWatched(t), sink: &ledgerSink{}}
	cfg.Group, cfg.TransactionTimeout = "g", time.Hour
	if cfg.CommitMaxRecords == 0 {
		cfg.CommitMaxRecords = 1000
	}
	if cfg.CommitMaxBytes == 0 {
		cfg.CommitMaxBytes = 1 << 20
	}
	cfg.EmitInterval = time.Second
	ports := Ports{NewLog: func(string) Log { return memoryLog{r} }, NewWriter: func(string) Writer {
		return Writer{NewOutbox: func(context.Context, []string, []model.TopicPartition) (Outbox, error) { return r.sink, nil }}
	}}
	r.Engine = NewEngine(cfg, ports, counting(t), r.watched.Watch, zerolog.Nop())
	return r
}

func counting(t *testing.T) *service.Processor { return processorOf(t, countingPipeline) }

func plain(t *testing.T) *service.Processor { return processorOf(t, rigPipeline) }

func processorOf(t *testing.T, file string) *service.Processor {
	t.Helper()
	spec, err := service.ParsePipeline("p.yaml", []byte(file), func(string) (string, bool) { return "", false })
	must(t, err)
	p, err := service.NewProcessor(spec, service.Options{Group: "g"})
	must(t, err)
	return p
}

// open makes the merger of an assignment whose partition was committed at a position.
func (r *mergeRig) open(at model.Position) {
	tp := model.TopicPartition{Topic: partialsOfRig}
	m, err := r.newMerger(r.watched.t.Context(), []model.TopicPartition{tp}, model.Start{Positions: map[model.TopicPartition]model.Position{tp: at}}, 1)
	must(r.watched.t, err)
	r.m = m
}

// say puts partials of groups of one event each behind the others, with the progress of the source.
func (r *mergeRig) say(at int64, groups ...string) {
	p := counting(r.watched.t)
	source := &aggregate.Source{Watermark: aggregate.NoWatermark}
	p.From(source)
	var in listed
	for i, g := range groups {
		in.messages = append(in.messages, model.Message{Topic: "in", Offset: int64(i), Timestamp: at, Value: fmt.Appendf(nil, `{"at":%d,"g":%q}`, at, g)})
	}
	p.Process(&in, &ledgerSink{}, time.UnixMilli(at))
	a := aggregate.NewAnnouncer(p.Definitions(), []*aggregate.Source{source}, 1, 0, time.Hour, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	a.Close(time.Now(), func(partial func(int32, []byte)) { p.Collected().Flush(1, partial) },
		func(_ int32, record []byte) { r.partials = append(r.partials, append([]byte{}, record...)) })
}

// names are n different groups.
func names(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint("group ", i))
	}
	return list
}

// memoryLog reads the rig's partials; there is no changelog.
type memoryLog struct{ r *mergeRig }

func (l memoryLog) Read(_ context.Context, from map[model.TopicPartition]int64, _ time.Duration) (parts []model.LogPart, err error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	for tp, offset := range from {
		if l.r.silent || l.r.failing != nil {
			break
		}
		end := int64(len(l.r.partials))
		records := &partialRecords{next: offset, all: l.r.partials[offset:]}
		parts = append(parts, model.LogPart{TopicPartition: tp, Next: end, LastStable: end, HighWatermark: end, Open: func() model.Records { return records }})
	}
	return parts, l.r.failing
}

func (l memoryLog) Restore(_ context.Context, _ model.TopicPartition, see func(*model.Message) error, progress func(done, end int64)) error {
	for i := range l.r.changed {
		if err := see(&l.r.changed[i]); err != nil {
			return err
		}
		progress(int64(i), int64(len(l.r.changed)))
	}
	return nil
}
func (l memoryLog) Close() {}

type partialRecords struct {
	next int64
	all  [][]byte
}

func (p *partialRecords) Next(m *model.Message) bool {
	if len(p.all) == 0 {
		return false
	}
	*m = model.Message{Topic: partialsOfRig, Offset: p.next, Value: p.all[0]}
	p.next, p.all = p.next+1, p.all[1:]
	return true
}
func (p *partialRecords) Err() error        { return nil }
func (p *partialRecords) NextOffset() int64 { return p.next }
func (p *partialRecords) SkipBatch()        {}

// ledgerSink is an Outbox that keeps the insights.
type ledgerSink struct {
	mu       sync.Mutex
	insights []string
	changes  []model.Message // of the changelog
	records  int
	key      []byte
}

func (o *ledgerSink) Partitions(int) int32 { return 1 }
func (o *ledgerSink) Open(_ int, _ int32, _ *model.Message, key []byte, bound int) []byte {
	o.key = bytes.Clone(key)
	return make([]byte, 0, bound)
}

func (o *ledgerSink) Close(value []byte, _ []model.Header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records++
	if strings.Contains(string(value), `"aggregate"`) {
		o.insights = append(o.insights, string(value))
	} else {
		o.changes = append(o.changes, model.Message{Key: o.key, Value: bytes.Clone(value)})
	}
}
func (o *ledgerSink) Bytes() int                           { return 0 }
func (o *ledgerSink) AppendTo(p model.Parcel) model.Parcel { return p }

// take is how many records and insights there are, and how many of these are final; the sink is empty then.
func (o *ledgerSink) take() (records, insights, finals int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range o.insights {
		if strings.Contains(i, `"final":true`) {
			finals++
		}
	}
	records, insights = o.records, len(o.insights)
	o.insights, o.records = nil, 0
	return records, insights, finals
}

func (o *ledgerSink) finals() int {
	_, _, n := o.take()
	return n
}
