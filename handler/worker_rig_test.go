package handler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

// script is a source that holds what a test wants, a broker that remembers in which order it was written to, and the
// engine between the two.
type script struct {
	t       *testing.T
	fetches []*model.Fetch
	weight  int                               // bytes in an outbox that a record counts for
	file    string                            // the pipeline; empty: rigPipeline
	headers func(offset int64) []model.Header // of each message; nil: none
	tracer  Tracer
	refused error // what the broker says to every commit
	end     context.CancelFunc
	watch   *Watch

	mu      sync.Mutex
	logs    map[string][]model.Origin // by output topic and partition
	commits []map[model.TopicPartition]model.Position
	parcels int
	reading int // parts that are being read
	most    int // of them at a time
}

const rigPipeline = `
name: p
source: {topic: in}
output: [{topic: out, key: user}]
`

// play runs the engine over the fetches until they are used up.
func (s *script) play(cfg Config) {
	s.t.Helper()
	must(s.t, s.run(cfg))
}

func (s *script) run(cfg Config) error {
	s.t.Helper()
	processor := processorOf(s.t, cmp.Or(s.file, rigPipeline))
	s.logs = map[string][]model.Origin{}
	cfg.Group, cfg.ExactlyOnce, cfg.CommitInterval, cfg.TransactionTimeout = "g", true, time.Hour, time.Hour
	s.watch = NewWatch(NewMetrics("g", "v"), NewReadiness(), NewProgress(), zerolog.Nop())
	ports := Ports{Source: source{s}, NewLog: func(string) Log { return memoryLog{&mergeRig{silent: true}} }, Partitions: func(context.Context) (int32, error) { return 5, nil }, NewWriter: func(string) Writer {
		return Writer{Producer: broker{s}, NewOutbox: func(context.Context, []string, []model.TopicPartition) (Outbox, error) { return &outbox{s: s}, nil }}
	}}
	e := NewEngine(cfg, ports, processor, s.watch, zerolog.Nop())
	if s.tracer != nil {
		e.TraceWith(s.tracer)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	s.end = cancel
	member := model.Assignment{Partitions: []model.TopicPartition{{Topic: "in", Partition: 0}, {Topic: "in", Partition: 1}, {Topic: "in", Partition: 2}, {Topic: "in", Partition: 3}, {Topic: "in", Partition: 4}}}
	r, err := e.newRun(ctx, s.t.Context(), member, model.Start{Positions: map[model.TopicPartition]model.Position{}})
	must(s.t, err)
	return r.finish(r.consume(ctx))
}

// moved is how many offsets each commit went on by.
func (s *script) moved() (steps []int) {
	at := map[model.TopicPartition]int64{}
	for _, positions := range s.commits {
		n := 0
		for tp, to := range positions {
			n += int(to.Offset - at[tp])
			at[tp] = to.Offset
		}
		steps = append(steps, n)
	}
	return steps
}

// perSource tells the offsets of each source partition in each output partition, in the order of writing.
func (s *script) perSource() map[string][]int64 {
	all := map[string][]int64{}
	for to, log := range s.logs {
		for _, o := range log {
			name := fmt.Sprintf("%s from %d", to, o.Partition)
			all[name] = append(all[name], o.Offset)
		}
	}
	return all
}

// add makes a fetch that is said to have so many bytes, of the given numbers of messages by partition.
func (s *script) add(bytes int, counts map[int32]int, next map[int32]int64, value func(int64) []byte) *model.Fetch {
	f := &model.Fetch{Bytes: bytes, Release: func() {}}
	for p := range int32(len(next)) {
		if counts[p] == 0 {
			continue
		}
		l := &scripted{s: s, tp: model.TopicPartition{Topic: "in", Partition: p}, at: next[p], end: next[p] + int64(counts[p]), value: value}
		next[p] = l.end
		f.Parts = append(f.Parts, model.FetchedPartition{TopicPartition: l.tp, Bytes: bytes / len(counts), HighWatermark: 1 << 40, Open: l.open})
	}
	s.fetches = append(s.fetches, f)
	return f
}

// scripted are the messages of one partition of a fetch.
type scripted struct {
	s       *script
	tp      model.TopicPartition
	at, end int64
	value   func(int64) []byte
	bad     error
}

func (l *scripted) open() model.Records {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.reading++
	l.s.most = max(l.s.most, l.s.reading)
	return l
}

func (l *scripted) Next(m *model.Message) bool {
	if l.at == l.end {
		l.s.mu.Lock()
		defer l.s.mu.Unlock()
		l.s.reading--
		return false
	}
	*m = model.Message{Topic: l.tp.Topic, Partition: l.tp.Partition, Offset: l.at, Timestamp: 1000 + l.at, Value: l.value(l.at)}
	if l.s.headers != nil {
		m.Headers = l.s.headers(l.at)
	}
	l.at++
	return true
}

func (l *scripted) Err() error        { return l.bad }
func (l *scripted) NextOffset() int64 { return l.at }
func (l *scripted) SkipBatch()        {}

type source struct{ s *script }

func (o source) Open(context.Context, map[model.TopicPartition]model.Position) (Stream, error) {
	return stream(o), nil
}

func (o source) Lookup(context.Context, model.Origin, func(*model.Message) error) error { return nil }

type stream struct{ s *script }

func (o stream) Next(ctx context.Context) (*model.Fetch, error) {
	if len(o.s.fetches) == 0 {
		o.s.end()
		return nil, ctx.Err()
	}
	f := o.s.fetches[0]
	o.s.fetches = o.s.fetches[1:]
	return f, nil
}

func (o stream) Seek(model.TopicPartition, int64) {}
func (o stream) Close()                           {}
func (o stream) Waited() time.Duration            { return 0 }
func (o stream) Reached(model.TopicPartition) (position, end int64, answered time.Time, ok bool) {
	return 0, 0, time.Time{}, false
}

// outbox is a Sink that keeps where each record came from.
type outbox struct {
	s       *script
	to      string
	from    model.Origin
	records []written
}

type written struct {
	to   string
	from model.Origin
}

func (o *outbox) Partitions(int) int32 { return 3 }

func (o *outbox) Open(topic int, partition int32, m *model.Message, _ []byte, bound int) []byte {
	o.to, o.from = fmt.Sprintf("%d-%d", topic, partition), model.Origin{TopicPartition: model.TopicPartition{Topic: m.Topic, Partition: m.Partition}, Offset: m.Offset}
	return make([]byte, 0, bound)
}

func (o *outbox) Close([]byte, []model.Header) { o.records = append(o.records, written{o.to, o.from}) }
func (o *outbox) Bytes() int                   { return len(o.records) * o.s.weight }

func (o *outbox) AppendTo(p model.Parcel) model.Parcel {
	first, _ := p.(parcelOf)
	all := parcelOf{o.s, append(first.records, o.records...)}
	o.records = nil
	return all
}

type parcelOf struct {
	s       *script
	records []written
}

func (p parcelOf) Produce(context.Context) ([]model.Refused, error) {
	p.s.parcels++
	for _, r := range p.records {
		p.s.logs[r.to] = append(p.s.logs[r.to], r.from)
	}
	return nil, nil
}

type broker struct{ s *script }

func (b broker) Init(context.Context) error          { return nil }
func (b broker) Begin(context.Context, string) error { return nil }
func (b broker) End(context.Context, bool) error     { return nil }
func (b broker) CommitOffsets(_ context.Context, _ string, _ model.Assignment, at map[model.TopicPartition]model.Position) error {
	b.s.commits = append(b.s.commits, at)
	return b.s.refused
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func total(steps []int) (sum int) {
	for _, n := range steps {
		sum += n
	}
	return sum
}

// whole is every full step of a list: all but the last.
func whole(steps []int) []int { return slices.Clip(steps[:max(len(steps)-1, 0)]) }
