package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"data-stream-engine/handler/guard"
	"data-stream-engine/model"
)

// place is a place in a topic.
type place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// letter is a dead letter. Its reason may quote the event and is there only for those who may read events.
type letter struct {
	ID         string   `json:"id"`
	Stage      string   `json:"stage"`
	Code       string   `json:"code"`
	Reason     *string  `json:"reason,omitempty"`
	Source     place    `json:"source"`
	LastOffset int64    `json:"last_offset"` // of the last event that it stands for
	FailedAt   *string  `json:"failed_at"`
	Truncated  int      `json:"truncated"` // bytes that the value had before it was cut off; 0: it is whole
	Bytes      int      `json:"bytes"`
	Replays    int      `json:"replays"`
	LateFor    []string `json:"late_for"`
	*text
}

// text is the content of a record. What is not text is in base64.
type text struct {
	Key         *string `json:"key"`
	KeyBase64   *string `json:"key_base64,omitempty"`
	Value       *string `json:"value"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

func textOf(m *model.Message) *text {
	var t text
	if m != nil {
		t.Key, t.KeyBase64 = content(m.Key)
		t.Value, t.ValueBase64 = content(m.Value)
	}
	return &t
}

func letterOf(d *model.DeadLetter, may guard.Rights) letter {
	l := letter{ID: idOf(d.At), Stage: string(d.Stage), Code: d.Code, Source: place{d.Source.Topic, d.Source.Partition, d.Source.Offset},
		LastOffset: max(d.LastInSet, d.Source.Offset), FailedAt: stamp(d.FailedAt), Truncated: d.Truncated, Bytes: d.Bytes, Replays: d.Replays, LateFor: d.LateFor}
	if l.LateFor == nil {
		l.LateFor = []string{}
	}
	if may.Read {
		l.Reason = &d.Reason
	}
	return l
}

func idOf(at model.TopicOffset) string {
	return strconv.FormatInt(int64(at.Partition), 10) + "-" + strconv.FormatInt(at.Offset, 10)
}

// placeOf is the place that an id names.
func (a *API) placeOf(id string) (model.TopicOffset, bool) {
	partition, offset, ok := strings.Cut(id, "-")
	p, err := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	at := model.TopicOffset{TopicPartition: model.TopicPartition{Topic: a.DeadLetterTopic, Partition: int32(p)}, Offset: o}
	return at, ok && err == nil && err2 == nil && p >= 0 && o >= 0 && idOf(at) == id
}

const maxWithContent = 100

// stages are the words that a stage is asked for with.
func stages() []string {
	list := []model.Stage{model.StageDecode, model.StageFilter, model.StageTransform, model.StageAggregate, model.StageRoute, model.StageProduce, model.StageLate}
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return words
}

func (a *API) deadLetters(w http.ResponseWriter, r *http.Request) error {
	p := paramsOf(r)
	q := model.DeadLetterQuery{Stage: model.Stage(p.oneOf("stage", stages()...)), Code: p.text("code"), From: p.time("from"), To: p.time("to"), Limit: p.limit(), Cursor: p.text("cursor")}
	whole := p.boolean("content")
	if whole != nil && *whole && q.Limit > maxWithContent {
		p.wrong("limit", "is at most %d with content", maxWithContent)
	}
	if err := p.err(); err != nil {
		return err
	}
	need := guard.Access
	if whole != nil && *whole {
		need = guard.Read
	}
	rights, err := a.Guard.Check(r, need)
	if err != nil {
		return err
	}
	found, err := a.Letters.DeadLetters(r.Context(), q)
	if err != nil {
		return err
	}
	items := make([]letter, len(found.Items))
	for i := range found.Items {
		items[i] = letterOf(&found.Items[i], rights)
	}
	if need == guard.Read {
		if err := a.contents(r.Context(), found.Items, items); err != nil {
			return err
		}
	}
	return answer(w, pageOf(items, found.Next))
}

// contents reads the content of letters, several at a time. One that the broker has deleted has none any more.
func (a *API) contents(ctx context.Context, from []model.DeadLetter, to []letter) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range from {
		group.Go(func() error {
			m, err := a.Contents.Letter(ctx, from[i].At)
			if err != nil && !gone(err) {
				return err
			}
			to[i].text = textOf(m)
			return nil
		})
	}
	return group.Wait()
}

func gone(err error) bool {
	e, ok := errors.AsType[*model.Error](err)
	return ok && (e.Class == model.Deleted || e.Class == model.NotFound || e.Class == model.DataLost)
}

// count is how many dead letters of a kind there are.
type count struct {
	Stage      string  `json:"stage"`
	Code       string  `json:"code"`
	Count      int64   `json:"count"`
	LastAt     *string `json:"last_at"`
	Recent     []int64 `json:"recent"`     // of the last 15 minutes, 30 s each, the latest last
	Expression *string `json:"expression"` // of the pipeline in use, that the latest of them failed at
	Line       *int    `json:"line"`       // where it stands
}

func (a *API) deadLetterCounts(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	items, err := a.counts(r.Context())
	if err != nil {
		return err
	}
	return answer(w, struct {
		Items []count `json:"items"`
	}{items})
}

func (a *API) counts(ctx context.Context) ([]count, error) {
	found, err := a.Letters.DeadLetterCounts(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	spec, _, _, _ := a.Pipelines.Loaded()
	known := expressions(spec)
	items := make([]count, 0, len(found))
	for _, c := range found {
		item := count{Stage: string(c.Stage), Code: c.Code, Count: c.Count, LastAt: stamp(c.LastAt), Recent: c.Recent}
		if item.Recent == nil {
			item.Recent = []int64{}
		}
		latest, err := a.Letters.DeadLetters(ctx, model.DeadLetterQuery{Stage: c.Stage, Code: c.Code, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(latest.Items) > 0 {
			item.Line, item.Expression = blamed(latest.Items[0].Reason, known)
		}
		items = append(items, item)
	}
	return items, nil
}
