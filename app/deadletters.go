package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/utils"
)

const (
	pageOfLetters  = 1000   // that the API answers at most
	contentLetters = 100    // with their content
	mostReplayed   = 10_000 // unless --limit says more, or --all
	askAgain       = time.Second
)

// deadLetters lists dead letters, or sends them through the pipeline once more.
func deadLetters(ctx context.Context, p Process) error {
	if len(p.Args) > 0 {
		what := p.Args[0]
		p.Args = p.Args[1:]
		switch what {
		case "list":
			return listLetters(ctx, p)
		case "replay":
			return replayLetters(ctx, p)
		}
	}
	return usageError{errors.New("dead-letters: say what: list or replay")}
}

// letter is one as the API lists it.
type letter struct {
	ID       string      `json:"id"`
	Stage    model.Stage `json:"stage"`
	Code     string      `json:"code"`
	Reason   *string     `json:"reason"` // not there without the right to see content
	FailedAt time.Time   `json:"failed_at"`
	Replays  int         `json:"replays"`
	Value    *string     `json:"value"`
	Base64   *string     `json:"value_base64"`
	Source   struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
	} `json:"source"`
}

// letterPage is a page of them.
type letterPage struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next_cursor"`
}

// selection are the flags that select letters.
type selection struct {
	stage, code, from, to *string
	limit                 *int
}

func newSelection(set *flag.FlagSet, limit int) selection {
	return selection{
		stage: set.String("stage", "", "only those of this stage: decode, filter, transform, aggregate, route, produce, late"),
		code:  set.String("code", "", "only those with this code, as in invalid_json"),
		from:  set.String("from", "", "only those that failed at or after this time, RFC 3339"),
		to:    set.String("to", "", "only those that failed before this time, RFC 3339"),
		limit: set.Int("limit", limit, "how many at most, the latest first"),
	}
}

func (s selection) empty() bool { return *s.stage+*s.code+*s.from+*s.to == "" }

func (s selection) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"stage": *s.stage, "code": *s.code, "from": *s.from, "to": *s.to} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// letters goes through what is selected, page by page, and tells whether there is more than limit.
func (c *client) letters(ctx context.Context, query url.Values, page, limit int, see func(raw json.RawMessage) error) (more bool, err error) {
	for cursor, left := "", limit; left > 0; {
		query.Set("limit", strconv.Itoa(min(left, page)))
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		var got letterPage
		err := limited(ctx, answerTimeout, func(ctx context.Context) error { return c.get(ctx, "/api/v1/dead-letters", query, &got) })
		if err != nil {
			return false, err
		}
		for _, raw := range got.Items {
			if err := see(raw); err != nil {
				return false, err
			}
		}
		left -= len(got.Items)
		if cursor = got.Next; cursor == "" {
			return false, nil
		}
	}
	return true, nil
}

func listLetters(ctx context.Context, p Process) error {
	set := newFlags("dead-letters list")
	flags := newClientFlags(set)
	chosen := newSelection(set, 20)
	content := set.Bool("content", false, "with the events as they came")
	if err := p.flags(set, 0); err != nil {
		return err
	}
	c, err := flags.client(p)
	if err != nil {
		return err
	}
	query, page := chosen.query(), pageOfLetters
	if *content {
		query.Set("content", "true")
		page = contentLetters
	}
	found := 0
	_, err = c.letters(ctx, query, page, *chosen.limit, func(raw json.RawMessage) error {
		found++
		var l letter
		return c.show(raw, &l, func() { l.text(p.Stdout) })
	})
	if err == nil && found == 0 && !c.json {
		say(p.Stderr, "there are no such dead letters\n")
	}
	return err
}

func (l *letter) text(w io.Writer) {
	again := ""
	if l.Replays > 0 {
		again = fmt.Sprintf(", replayed %d times before", l.Replays)
	}
	say(w, "%s  %s  %s/%s  from %s-%d at %d%s\n", l.ID, l.FailedAt.UTC().Format("2006-01-02 15:04:05Z"), l.Stage, l.Code, l.Source.Topic, l.Source.Partition, l.Source.Offset, again)
	if l.Reason != nil {
		say(w, "  %s\n", service.Printable(*l.Reason))
	}
	switch {
	case l.Value != nil:
		say(w, "  %s\n", service.Printable(*l.Value))
	case l.Base64 != nil:
		say(w, "  (base64) %s\n", *l.Base64)
	}
}

func replayLetters(ctx context.Context, p Process) error {
	set := newFlags("dead-letters replay")
	flags := newClientFlags(set)
	chosen := newSelection(set, mostReplayed)
	all := set.Bool("all", false, "all of them, when nothing else selects any")
	p.Args = flagsFirst(p.Args, "url", "stage", "code", "from", "to", "limit")
	if err := p.flags(set, 1<<20); err != nil {
		return err
	}
	ids := set.Args()
	switch {
	case len(ids) > 0 && (!chosen.empty() || *all):
		return usageError{errors.New("dead-letters replay: either ids or flags that select letters, not both")}
	case len(ids) == 0 && chosen.empty() && !*all:
		return usageError{errors.New("dead-letters replay: which ones? Ids as `dead-letters list` shows them, --stage, --code, --from, --to, or --all")}
	}
	if *all && !isGiven(set, "limit") {
		*chosen.limit = math.MaxInt
	}
	c, err := flags.client(p)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		more, err := c.letters(ctx, chosen.query(), pageOfLetters, *chosen.limit, func(raw json.RawMessage) error {
			var l letter
			err := json.Unmarshal(raw, &l)
			ids = append(ids, l.ID)
			return err
		})
		if err != nil {
			return err
		}
		if more {
			say(p.Stderr, "there are more such dead letters: these are the latest %d, and --limit takes more\n", *chosen.limit)
		}
	}
	return c.replay(ctx, p, ids)
}

// isGiven tells a flag that was given from one that has its default.
func isGiven(set *flag.FlagSet, name string) (is bool) {
	set.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}

// replay sends letters, some in each request. One that was cut off in the middle has done the requests before: they are
// whole, and counted.
func (c *client) replay(ctx context.Context, p Process, ids []string) error {
	if len(ids) == 0 {
		say(p.Stderr, "there are no such dead letters\n")
		return nil
	}
	bar := newProgress(p, len(ids), "letters")
	sum := model.Replayed{Refused: []model.Refusal{}}
	for from := 0; from < len(ids); from += pageOfLetters {
		some := ids[from:min(from+pageOfLetters, len(ids))]
		did, err := c.replayOnce(ctx, some)
		if err != nil {
			bar.clear()
			if _, lost := errors.AsType[unanswered](err); lost {
				return fmt.Errorf("%w; %d of %d were replayed, and whether the next %d were is not known", err, sum.Count, len(ids), len(some))
			}
			return fmt.Errorf("%w; %d of %d were replayed before", err, sum.Count, len(ids))
		}
		sum.Count, sum.Topic, sum.At = sum.Count+did.Count, did.Topic, did.At
		sum.Refused = append(sum.Refused, did.Refused...)
		bar.add(len(some))
	}
	bar.clear()
	if err := c.tellReplayed(p, sum, len(ids)); err != nil {
		return err
	}
	if sum.Count < len(ids) {
		return fmt.Errorf("%d were not replayed", len(ids)-sum.Count)
	}
	return nil
}

func (c *client) tellReplayed(p Process, sum model.Replayed, of int) error {
	if c.json {
		return json.NewEncoder(p.Stdout).Encode(sum)
	}
	say(p.Stdout, "replayed %d of %d dead letters through %s\n", sum.Count, of, sum.Topic)
	for _, r := range sum.Refused {
		say(p.Stdout, "  not %s: %s\n", cmp.Or(r.ID, "all"), strings.TrimSpace(r.Why))
	}
	return nil
}

// replayOnce asks a second time when the answer to the first is lost: it has one key, so that it is done once.
func (c *client) replayOnce(ctx context.Context, ids []string) (did model.Replayed, err error) {
	key := http.Header{"Idempotency-Key": {rand.Text()}}
	ask := func() error {
		return limited(ctx, replayTimeout, func(ctx context.Context) error {
			return c.post(ctx, "/api/v1/dead-letters/replay", map[string]any{"ids": ids}, key, &did)
		})
	}
	err = ask()
	if _, lost := errors.AsType[unanswered](err); lost && utils.Sleep(ctx, askAgain) == nil {
		err = ask()
	}
	return did, err
}
