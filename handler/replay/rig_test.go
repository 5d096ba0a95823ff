package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

const pipeline = `
name: p
source: {topic: in, event_time: at}
filter: kind != "noise"
transform: {set: {user: upper(user)}}
output: [{topic: out, key: user}]
aggregates:
  - {name: minutes, group_by: [user], window: {tumbling: 1m}, measures: {n: count()}}
  - {name: hours, window: {tumbling: 1h}, measures: {n: count()}}
`

const deadTopic = "p-dead-letter"

// rig is a Replayer over topics that lie in memory.
type rig struct {
	*Replayer
	t          *testing.T
	text       string
	processor  *service.Processor
	spec       *model.Pipeline
	letters    []model.Message // of the dead-letter topic, by offset
	items      []model.DeadLetter
	asked      []model.DeadLetterQuery
	partitions int32

	notes     string
	open      []model.Message
	committed []model.Message
	refuses   map[int]error
	fails     map[string]error // by the step: begin, send, commit, abort, prepare, read, store
	aborted   int
	onSend    func()
	onPrepare func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, partitions: 4, fails: map[string]error{}, onPrepare: func() {}}
	r.load(pipeline)
	r.Replayer = New(Config{Letters: r, Store: r, Pipelines: r, Outlet: r, Prepare: r.prepare, Timeout: 10 * time.Second})
	return r
}

func (r *rig) prepare(context.Context) (int32, error) {
	r.onPrepare()
	return r.partitions, r.fails["prepare"]
}

func (r *rig) load(text string) {
	r.t.Helper()
	spec, err := service.ParsePipeline("pipeline.yaml", []byte(text), func(string) (string, bool) { return "", false })
	must(r.t, err)
	p, err := service.NewProcessor(spec, service.Options{})
	must(r.t, err)
	r.text, r.spec, r.processor = text, spec, p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) Loaded() (*model.Pipeline, *service.Processor, string, time.Time) {
	return r.spec, r.processor, r.text, time.Time{}
}

// fail has an event fail, and returns the id of its letter.
func (r *rig) fail(value string, why model.Reason, partition int32) string {
	r.t.Helper()
	m := model.Message{Topic: "in", Partition: partition, Offset: int64(100 + len(r.letters)), Timestamp: 7, Key: []byte("k"), Value: []byte(value)}
	return r.bury(func(s service.Sink) { r.processor.DeadLetter(s, &m, why, time.Now()) })
}

func (r *rig) bury(write func(service.Sink)) string {
	s := &sink{}
	write(s)
	for _, m := range s.records {
		m.Topic, m.Offset = deadTopic, int64(len(r.letters))
		r.letters = append(r.letters, m)
		r.items = append([]model.DeadLetter{model.ParseDeadLetter(&m)}, r.items...)
	}
	return idOf(model.TopicOffset{Offset: int64(len(r.letters) - 1)})
}

var broken = model.Reason{Stage: model.StageTransform, Code: service.CodeExpression, Message: "pipeline.yaml:5:23: upper takes text [set user: upper(user)]"}

// Read implements Letters.
func (r *rig) Read(_ context.Context, offsets map[model.TopicPartition][]int64, see func(*model.Message) error) error {
	for tp, list := range offsets {
		slices.Sort(list)
		for _, at := range list {
			if tp != (model.TopicPartition{Topic: deadTopic}) || at >= int64(len(r.letters)) {
				continue
			}
			m := *r.letters[at].Clone()
			err := see(&m)
			clear(m.Value) // it is not valid any more
			if err != nil {
				return err
			}
		}
	}
	return r.fails["read"]
}

// Find implements Letters.
func (r *rig) Find(_ context.Context, at model.Origin) (*model.Message, error) {
	return &model.Message{Topic: at.Topic, Partition: at.Partition, Offset: at.Offset}, r.fails["find"]
}

// DeadLetters implements Store, two to a page.
func (r *rig) DeadLetters(_ context.Context, q model.DeadLetterQuery) (page model.DeadLetterPage, err error) {
	r.asked = append(r.asked, q)
	from := 0
	_, _ = fmt.Sscan(q.Cursor, &from)
	var all []model.DeadLetter
	for _, d := range r.items {
		if (q.Stage == "" || q.Stage == d.Stage) && (q.Code == "" || q.Code == d.Code) {
			all = append(all, d)
		}
	}
	to := min(from+min(q.Limit, 400), len(all))
	page.Items = all[from:to]
	if to < len(all) {
		page.Next = fmt.Sprint(to)
	}
	return page, r.fails["store"]
}

func (r *rig) Begin(context.Context) (string, error) { r.open = nil; return r.notes, r.fails["begin"] }

func (r *rig) Send(_ context.Context, messages []model.Message, _ int32) (map[int]error, error) {
	for i := range messages {
		if r.refuses[i] == nil {
			r.open = append(r.open, messages[i])
		}
	}
	if r.onSend != nil {
		r.onSend()
	}
	return r.refuses, r.fails["send"]
}

func (r *rig) Commit(_ context.Context, notes string) error {
	if err := r.fails["commit"]; err != nil {
		return err
	}
	r.committed, r.open = append(r.committed, r.open...), nil
	if notes != "" {
		r.notes = notes
	}
	return nil
}

func (r *rig) Abort(context.Context) error {
	r.open = nil
	r.aborted++
	return r.fails["abort"]
}

// sink keeps what a Processor writes.
type sink struct {
	records []model.Message
	open    model.Message
}

func (s *sink) Partitions(int) int32 { return 1 }
func (s *sink) Open(_ int, partition int32, m *model.Message, key []byte, _ int) []byte {
	s.open = model.Message{Partition: partition, Timestamp: m.Timestamp, Key: key}
	return []byte{}
}

func (s *sink) Close(value []byte, headers []model.Header) {
	s.open.Value, s.open.Headers = value, headers
	s.records = append(s.records, *s.open.Clone())
}
