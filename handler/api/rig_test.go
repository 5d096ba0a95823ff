package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/view"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// parts are all ports at once: they answer with err when there is one, otherwise with something small, and remember what they
// were asked.
type parts struct {
	t         testing.TB
	mu        sync.Mutex
	err       error
	spec      *model.Pipeline
	processor *service.Processor
	loaded    time.Time
	file      string // another text of the pipeline than pipelineText
	version   uint64
	message   *model.Message
	letter    model.DeadLetter
	missing   bool // the letter is not kept
	anomaly   model.Insight
	reloaded  model.Reloaded
	hang      bool // until the context ends

	insightQuery model.InsightQuery
	groupQuery   model.GroupQuery
	letterQuery  model.DeadLetterQuery
	request      model.ReplayRequest
	reason       string
	pictures     int
}

const pipelineText = `name: test
source: {topic: in}
filter: user != nil
transform:
  set:
    ip: mask_ip(ip)
output:
  - topic: out
    key: user
aggregates:
  - name: visits
    group_by: [user]
    window: {tumbling: 1m, grace: 30s}
    measures: {n: count()}
`

func (p *parts) fails(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hang {
		p.mu.Unlock()
		<-ctx.Done()
		p.mu.Lock()
		return ctx.Err()
	}
	return p.err
}

func (p *parts) Insights(ctx context.Context, q model.InsightQuery) (model.InsightPage, error) {
	if err := p.fails(ctx); err != nil {
		return model.InsightPage{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.insightQuery = q
	if q.Kind == model.InsightAnomaly {
		return model.InsightPage{Items: []model.Insight{p.anomaly}}, nil
	}
	return model.InsightPage{Items: []model.Insight{windowInsight(0, true), windowInsight(1, false)}, Next: "more"}, nil
}

func windowInsight(n int, final bool) model.Insight {
	start := time.Date(2026, 11, 22, 10, n, 0, 0, time.UTC)
	document := `{"aggregate":"visits","kind":"window","group":{"user":"</script><script>alert(1)</script>"},"measures":{"n":` + string(rune('1'+n)) + `}}`
	return model.Insight{Kind: model.InsightWindow, Aggregate: "visits", Group: json.RawMessage(`{"user":"</script><script>alert(1)</script>"}`), Start: start, End: start.Add(time.Minute),
		Final: final, Revision: 3, Document: json.RawMessage(document)}
}

func (p *parts) Groups(ctx context.Context, q model.GroupQuery) (model.GroupTable, error) {
	p.groupQuery = q
	row := model.GroupRow{Group: windowInsight(0, true).Group, Windows: []model.Insight{windowInsight(0, true), windowInsight(1, false)}}
	return model.GroupTable{Groups: 7, Matched: 1, Window: windowInsight(0, true).Start, Rows: []model.GroupRow{row}}, p.fails(ctx)
}

func (p *parts) Points(ctx context.Context, _ model.Insight, n int) ([]model.Insight, error) {
	if n != anomalyPoints {
		p.t.Errorf("%d points", n)
	}
	return []model.Insight{windowInsight(0, true), windowInsight(1, true)}, p.fails(ctx)
}

func (p *parts) DeadLetters(ctx context.Context, q model.DeadLetterQuery) (model.DeadLetterPage, error) {
	err := p.fails(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letterQuery = q
	return model.DeadLetterPage{Items: []model.DeadLetter{p.letter}, Next: "older"}, err
}

func (p *parts) DeadLetter(ctx context.Context, at model.TopicOffset) (model.DeadLetter, bool, error) {
	if at != p.letter.At {
		return model.DeadLetter{}, false, p.fails(ctx)
	}
	return p.letter, !p.missing, p.fails(ctx)
}

func (p *parts) DeadLetterCounts(ctx context.Context, _ time.Time) ([]model.DeadLetterCount, error) {
	return []model.DeadLetterCount{{DeadLetterKind: model.DeadLetterKind{Stage: p.letter.Stage, Code: p.letter.Code}, Count: 4, LastAt: p.letter.FailedAt, Recent: make([]int64, 30)}}, p.fails(ctx)
}

func (p *parts) Version() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

func (p *parts) Letter(ctx context.Context, _ model.TopicOffset) (*model.Message, error) {
	if err := p.fails(ctx); err != nil {
		return nil, err
	}
	return p.message, nil
}

func (p *parts) Verdict(context.Context, *model.Message) (outcome, text string) {
	return "dead_letter", "If replayed now: rejected again."
}

func (p *parts) Replay(ctx context.Context, r model.ReplayRequest) (model.Replayed, error) {
	p.request = r
	return model.Replayed{Count: 2, Topic: "test-replay", At: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)}, p.fails(ctx)
}

func (p *parts) Record(ctx context.Context, partition int32, offset int64) (*model.Message, error) {
	if err := p.fails(ctx); err != nil {
		return nil, err
	}
	m := *p.message
	m.Partition, m.Offset = partition, offset
	return &m, nil
}

func (p *parts) Pause(ctx context.Context, reason string) (*model.Pause, error) {
	p.reason = reason
	return &model.Pause{By: "a", At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Reason: reason}, p.fails(ctx)
}

func (p *parts) Resume(ctx context.Context) error { return p.fails(ctx) }

func (p *parts) Loaded() (spec *model.Pipeline, processor *service.Processor, text string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spec, p.processor, pipelineText, p.loaded
}

func (p *parts) Reload(ctx context.Context) (model.Reloaded, error) {
	return p.reloaded, p.fails(ctx)
}

func (p *parts) Compile(text string) (*service.Processor, error) {
	spec, err := service.ParsePipeline("tried", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	return service.NewProcessor(spec, service.Options{})
}

func (p *parts) Partitions(string) int32 { return 4 }

// pictures are the documents of the view.
type pictures struct{ p *parts }

func (v pictures) Status() view.Status {
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.pictures++
	return view.Status{Level: model.LevelOK, Title: "Healthy", Waiting: []view.Waiting{}, Instances: []view.Instance{}}
}
func (v pictures) Pipeline() view.Pipeline {
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	return view.Pipeline{Name: "test", Text: cmp.Or(v.p.file, pipelineText)}
}
func (v pictures) Partitions() view.Partitions { return view.Partitions{} }
func (v pictures) Rates() model.Point          { return model.Point{At: time.Now().UnixMilli()} }
func (v pictures) History() (points []model.Point, marks []model.Mark) {
	return []model.Point{{At: 1}}, nil
}

// rig is an API over parts.
type rig struct {
	*parts
	api *API
}

const secret = "0123456789abcdef-token"

func newRig(t testing.TB, token string) *rig {
	t.Helper()
	g, err := guard.New(token)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := service.ParsePipeline("pipeline.yaml", []byte(pipelineText), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	processor, err := service.NewProcessor(spec, service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := model.TopicOffset{TopicPartition: model.TopicPartition{Topic: "test-dead-letter", Partition: 1}, Offset: 17}
	p := &parts{t: t, spec: spec, processor: processor, loaded: time.Now(),
		message: &model.Message{Topic: "in", Partition: 2, Offset: 5, Timestamp: 1_795_000_000_123, Key: []byte{0xff}, Value: []byte(`{"user":"ann","ip":"nowhere"}`),
			Headers: []model.Header{{Key: []byte("trace"), Value: []byte("00-1")}, {Key: []byte("raw"), Value: []byte{0xfe}}, {Key: []byte("none")}}},
		letter: model.DeadLetter{At: at, Stage: model.StageTransform, Code: service.CodeExpression, Reason: `pipeline.yaml:6:9: mask_ip: "nowhere" is not an IP address [set ip: mask_ip(ip)]`,
			Source:   model.TopicOffset{TopicPartition: model.TopicPartition{Topic: "in", Partition: 2}, Offset: 5},
			FailedAt: time.Date(2026, 11, 22, 10, 0, 7, 120e6, time.UTC), Bytes: 29},
		anomaly: model.Insight{Key: "k", Kind: model.InsightAnomaly, Document: json.RawMessage(`{"kind":"anomaly","anomaly":{"measure":"n","value":9}}`)},
	}
	v := pictures{p}
	r := &rig{parts: p, api: New(Config{Guard: g, Insights: p, Letters: p, Changes: p, Contents: p, Replayer: p, Source: p, Control: p, Pipelines: p, Compiler: p,
		Topics: p, Pictures: v, Rates: v, DeadLetterTopic: "test-dead-letter", Log: zerolog.Nop()})}
	t.Cleanup(r.api.Close)
	return r
}

// ask sends a request from this machine; headers are name, value, ...
func (r *rig) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	request.RemoteAddr, request.Host = "127.0.0.1:5000", "localhost:8080"
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	switch {
	case request.Header.Get("Peer") != "":
		request.RemoteAddr = request.Header.Get("Peer")
	}
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, request)
	return w
}

// documentOf is the body of an answer.
func documentOf(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return d
}

// deletedContents are those of letters that the broker has deleted.
type deletedContents struct{ *parts }

func (deletedContents) Letter(context.Context, model.TopicOffset) (*model.Message, error) {
	return nil, &model.Error{Class: model.Deleted, Op: "the broker has deleted this letter"}
}
