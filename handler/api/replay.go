package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"data-stream-engine/handler/problem"
	"data-stream-engine/model"
)

const (
	// maxReplay is how many letters one request may replay.
	maxReplay = 10_000
	// replayTimeout is what that may take.
	replayTimeout = time.Minute
	// maxKey is how long an Idempotency-Key may be.
	maxKey = 200
)

// replay takes ids, or what a list of dead letters is filtered by.
func (a *API) replay(w http.ResponseWriter, r *http.Request) error {
	var ids []string
	var stage, code, from, to *string
	var limit *int
	if err := body(w, r, map[string]any{"ids": &ids, "stage": &stage, "code": &code, "from": &from, "to": &to, "limit": &limit}); err != nil {
		return err
	}
	request := model.ReplayRequest{IDs: ids, Query: model.DeadLetterQuery{Limit: maxReplay}}
	mistakes := queryMistakes(&request.Query, stage, code, from, to, limit)
	byQuery := stage != nil || code != nil || from != nil || to != nil || limit != nil
	mistakes = append(mistakes, a.idsMistakes(ids, byQuery)...)
	key, m, ok := idempotencyKey(r)
	if !ok {
		mistakes = append(mistakes, m)
	}
	if len(mistakes) > 0 {
		return wrong(mistakes...)
	}
	request.Key = key
	replayed, err := a.Replayer.Replay(r.Context(), request)
	if err != nil {
		return err
	}
	replayed.At = replayed.At.UTC().Truncate(time.Millisecond)
	return answer(w, replayed)
}

// queryMistakes fills a query in with what is given, and says what is wrong with that.
func queryMistakes(q *model.DeadLetterQuery, stage, code, from, to *string, limit *int) []mistake {
	var found []mistake
	if stage != nil {
		q.Stage = model.Stage(*stage)
		if !slices.Contains(stages(), *stage) {
			found = append(found, mistake{"stage", "is one of " + strings.Join(stages(), ", ")})
		}
	}
	if code != nil {
		q.Code = *code
		if *code == "" || strings.ContainsRune(*code, 0) {
			found = append(found, mistake{"code", "is no code of a dead letter"})
		}
	}
	for _, t := range []struct {
		name string
		text *string
		into *time.Time
	}{{"from", from, &q.From}, {"to", to, &q.To}} {
		if t.text == nil {
			continue
		}
		var err error
		if *t.into, err = time.Parse(time.RFC3339, *t.text); err != nil {
			found = append(found, mistake{t.name, "is a time as in 2026-11-22T10:00:07Z (RFC 3339)"})
		}
	}
	if limit != nil {
		q.Limit = *limit
		if *limit < 1 || *limit > maxReplay {
			found = append(found, mistake{"limit", fmt.Sprintf("is a whole number from 1 to %d", maxReplay)})
		}
	}
	return found
}

func (a *API) idsMistakes(ids []string, byQuery bool) []mistake {
	switch {
	case len(ids) > 0 && byQuery:
		return []mistake{{"ids", "go without stage, code, from, to and limit"}}
	case len(ids) == 0 && !byQuery:
		return []mistake{{"ids", "are missing; or say which by stage, code, from, to and limit"}}
	case len(ids) > maxReplay:
		return []mistake{{"ids", fmt.Sprintf("are more than %d", maxReplay)}}
	}
	for _, id := range ids {
		if _, ok := a.placeOf(id); !ok {
			return []mistake{{"ids", problem.Shown(id) + " is not an id: partition-offset, as in 0-17"}}
		}
	}
	return nil
}

// idempotencyKey is the header that makes a second request with it do nothing new.
func idempotencyKey(r *http.Request) (string, mistake, bool) {
	list := r.Header.Values("Idempotency-Key")
	if len(list) == 0 {
		return "", mistake{}, true
	}
	key := list[0]
	bad := func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsPrint(c) }
	if len(list) > 1 || key == "" || len(key) > maxKey || slices.ContainsFunc([]rune(key), bad) {
		return "", mistake{"Idempotency-Key", fmt.Sprintf("is one value of 1 to %d printable ASCII characters", maxKey)}, false
	}
	return key, mistake{}, true
}
