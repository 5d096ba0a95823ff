package recorder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/repository/store"
)

// world is what there is in the topics.
type world struct {
	mu    sync.Mutex
	ids   map[string]string
	logs  map[model.TopicPartition][]model.Message
	first map[model.TopicPartition]int64 // what was before is deleted
	away  error                          // of the brokers
	bad   map[model.TopicOffset]int      // batches that cannot be read, so many times
}

const (
	insightsTopic = "g-insights"
	deadTopic     = "g-dead-letter"
)

func newWorld(partitions int) *world {
	w := &world{ids: map[string]string{insightsTopic: "i1", deadTopic: "d1"}, logs: map[model.TopicPartition][]model.Message{}, first: map[model.TopicPartition]int64{},
		bad: map[model.TopicOffset]int{}}
	for p := range partitions {
		w.logs[model.TopicPartition{Topic: insightsTopic, Partition: int32(p)}] = nil
		w.logs[model.TopicPartition{Topic: deadTopic, Partition: int32(p)}] = nil
	}
	return w
}

// change does something to the topics.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) topics(_ context.Context, names []string) (map[string]Topic, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		return nil, w.away
	}
	found := map[string]Topic{}
	for tp := range w.logs {
		if t := found[tp.Topic]; slices.Contains(names, tp.Topic) && w.ids[tp.Topic] != "" {
			found[tp.Topic] = Topic{ID: w.ids[tp.Topic], Partitions: max(t.Partitions, tp.Partition+1)}
		}
	}
	return found, nil
}

func (w *world) add(tp model.TopicPartition, m model.Message) {
	w.change(func() {
		m.Offset = int64(len(w.logs[tp]))
		w.logs[tp] = append(w.logs[tp], m)
	})
}

// reader is a Log over a world.
type reader struct {
	*world
	ids map[string]string
}

func (w *world) reader() Log {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &reader{w, maps.Clone(w.ids)}
}

func (r *reader) Close() {}

func (r *reader) Begins(_ context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[model.TopicPartition]int64{}
	for _, tp := range partitions {
		found[tp] = r.first[tp]
	}
	return found, r.away
}

func (r *reader) Read(ctx context.Context, from map[model.TopicPartition]int64, wait time.Duration) ([]model.LogPart, error) {
	parts, err := r.read(from)
	for _, p := range parts {
		if p.Bytes > 0 {
			return parts, err
		}
	}
	select {
	case <-time.After(min(wait, 20*time.Millisecond)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return r.read(from)
}

func (r *reader) read(from map[model.TopicPartition]int64) ([]model.LogPart, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var parts []model.LogPart
	for tp, at := range from {
		if r.ids[tp.Topic] != r.world.ids[tp.Topic] {
			return nil, &model.Error{Class: model.Recreated, Op: "read", Subject: tp.Topic, Err: errors.New("another topic")}
		}
		log := r.logs[tp]
		end := int64(len(log))
		p := model.LogPart{TopicPartition: tp, Next: at, LastStable: end, HighWatermark: end}
		if at < r.first[tp] {
			p.Lost, p.Next = true, r.first[tp]
		} else {
			list := log[min(at, end):min(at+50, end)]
			p.Bytes = len(list)
			at := model.TopicOffset{TopicPartition: tp, Offset: at}
			if r.bad[at] > 0 {
				r.bad[at]--
				p.Open = func() model.Records {
					return &records{list: list, next: at.Offset, bad: &model.BadBatch{TopicPartition: tp, FirstOffset: at.Offset, LastOffset: at.Offset}}
				}
			} else {
				p.Open = func() model.Records { return &records{list: list, next: at.Offset} }
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// records are those of one answer. A bad one is the first.
type records struct {
	list []model.Message
	next int64
	bad  *model.BadBatch
}

func (r *records) Next(m *model.Message) bool {
	if r.bad != nil || len(r.list) == 0 {
		return false
	}
	*m, r.list = r.list[0], r.list[1:]
	r.next = m.Offset + 1
	return true
}

func (r *records) Err() error {
	if r.bad != nil {
		return r.bad
	}
	return nil
}

func (r *records) NextOffset() int64 { return r.next }

func (r *records) SkipBatch() { r.list, r.next, r.bad = r.list[1:], r.bad.LastOffset+1, nil }

// insightRecord is a record of the insights topic; an empty value is a tombstone.
func insightRecord(user string, revision int, change ...func(string) string) model.Message {
	now := time.Now().UTC()
	start := now.Truncate(time.Hour)
	value := fmt.Sprintf(`{"pipeline":"p","aggregate":"logins","kind":"window","window":{"start":%q,"end":%q},"group":{"u":%q},"measures":{"n":%d},"final":false,"revision":%d,"updated_at":%q}`,
		start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339), user, revision, revision, now.Format(time.RFC3339Nano))
	for _, f := range change {
		value = f(value)
	}
	m := model.Message{Key: fmt.Appendf(nil, `["logins","def",%q,%q,%q]`, start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339), user), Value: []byte(value)}
	if value == "" {
		m.Value = nil
	}
	return m
}

func tombstone(string) string { return "" }

func letterRecord(code string) model.Message {
	var headers []model.Header
	for _, h := range [][2]string{{model.HeaderTopic, "in"}, {model.HeaderPartition, "1"}, {model.HeaderOffset, "7"}, {model.HeaderStage, "decode"}, {model.HeaderCode, code},
		{model.HeaderMessage, "because"}, {model.HeaderFailedAt, time.Now().UTC().Format(time.RFC3339Nano)}} {
		headers = append(headers, model.Header{Key: []byte(h[0]), Value: []byte(h[1])})
	}
	return model.Message{Value: []byte("{"), Headers: headers}
}

// rig is a recorder at work.
type rig struct {
	*world
	*Recorder
	t     *testing.T
	store *faulty
	notes sync.Map
}

// faulty is a store that fails when it is told to.
type faulty struct {
	*store.Store
	mu   sync.Mutex
	fail func(op string, parts []model.Recorded) error
}

func (f *faulty) ask(op string, parts []model.Recorded) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(op, parts)
}

func (f *faulty) failing(with func(op string, parts []model.Recorded) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = with
}

func (f *faulty) Start(ctx context.Context) error {
	if err := f.ask("start", nil); err != nil {
		return err
	}
	return f.Store.Start(ctx)
}

func (f *faulty) Positions(ctx context.Context, topics []model.TopicID) (map[model.TopicPartition]int64, error) {
	if err := f.ask("positions", nil); err != nil {
		return nil, err
	}
	return f.Store.Positions(ctx, topics)
}

func (f *faulty) Write(ctx context.Context, parts []model.Recorded) error {
	if err := f.ask("write", parts); err != nil {
		return err
	}
	return f.Store.Write(ctx, parts)
}

func newStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.New(store.Config{DataDir: dir, Group: "g", Retention: 24 * time.Hour, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newRig(t *testing.T, w *world, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{world: w, t: t, store: &faulty{Store: newStore(t, t.TempDir())}}
	cfg := Config{Store: r.store, Keeper: r.store, Kind: store.SQLite, Name: "x", Insights: func() string { return insightsTopic }, DeadLetters: deadTopic, Topics: w.topics, NewLog: w.reader,
		Note: func(s string) { r.notes.Store("storage", s) }, NoteReading: func(s string) { r.notes.Store("reading", s) }, Log: zerolog.Nop(),
		MaxRows: 40, MaxWait: 20 * time.Millisecond, Look: 50 * time.Millisecond}
	for _, f := range change {
		f(&cfg)
	}
	r.Recorder = New(cfg)
	return r
}

// start lets it run until the test ends, or stop is called.
func (r *rig) start() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	r.t.Cleanup(stop)
	return stop
}

// stored is what the store has, in short.
func (r *rig) stored() string {
	page, err := r.store.Insights(r.t.Context(), model.InsightQuery{Limit: 1000})
	if err != nil {
		return err.Error()
	}
	var list []string
	for _, in := range page.Items {
		list = append(list, fmt.Sprintf("%s:%d", strings.Trim(string(in.Group), `{}"u:`), in.Revision))
	}
	letters, err := r.store.DeadLetters(r.t.Context(), model.DeadLetterQuery{Limit: 1000})
	if err != nil {
		return err.Error()
	}
	for _, l := range letters.Items {
		list = append(list, l.Code)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// topicSays is what the store should have.
func (w *world) topicSays() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for tp, log := range w.logs {
		last := map[string]string{}
		for i := range log {
			m := &log[i]
			if m.Offset < w.first[tp] {
				continue
			}
			if tp.Topic == deadTopic {
				list = append(list, model.ParseDeadLetter(m).Code)
				continue
			}
			if delete(last, string(m.Key)); m.Value != nil {
				if in, err := insight(m); err == nil {
					last[string(m.Key)] = fmt.Sprintf("%s:%d", strings.Trim(string(in.Group), `{}"u:`), in.Revision)
				}
			}
		}
		list = append(list, slices.Collect(maps.Values(last))...)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	end := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			r.t.Fatalf("%s: stored %s\nthe topic says %s\nstate %+v", what, r.stored(), r.topicSays(), r.State())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *rig) settled(what string) {
	r.t.Helper()
	r.eventually(what, func() bool { return r.stored() == r.topicSays() })
}

func (r *rig) note(name string) string {
	text, _ := r.notes.Load(name)
	s, _ := text.(string)
	return s
}

func at(topic string, partition int32) model.TopicPartition {
	return model.TopicPartition{Topic: topic, Partition: partition}
}
