package app

import (
	"context"
	"errors"
	"time"

	"data-stream-engine/model"
)

// noStore is in the place of a store when STORAGE_URL is none.
type noStore struct{}

func (noStore) away() error {
	return &model.Error{Class: model.NotFound, Op: "read what is stored", Err: errors.New("nothing is stored with STORAGE_URL=none"), Hint: "set STORAGE_URL to have it"}
}

// Insights is api.Insights.
func (n noStore) Insights(context.Context, model.InsightQuery) (model.InsightPage, error) {
	return model.InsightPage{}, n.away()
}

// Groups is api.Insights.
func (n noStore) Groups(context.Context, model.GroupQuery) (model.GroupTable, error) {
	return model.GroupTable{}, n.away()
}

// Points is api.Insights.
func (n noStore) Points(context.Context, model.Insight, int) ([]model.Insight, error) {
	return nil, n.away()
}

// DeadLetters is api.Letters.
func (n noStore) DeadLetters(context.Context, model.DeadLetterQuery) (model.DeadLetterPage, error) {
	return model.DeadLetterPage{}, n.away()
}

// DeadLetter is api.Letters.
func (n noStore) DeadLetter(context.Context, model.TopicOffset) (model.DeadLetter, bool, error) {
	return model.DeadLetter{}, false, n.away()
}

// DeadLetterCounts is api.Letters.
func (n noStore) DeadLetterCounts(context.Context, time.Time) ([]model.DeadLetterCount, error) {
	return nil, n.away()
}

// Version is api.Changes: nothing is ever written.
func (noStore) Version() uint64 { return 0 }
