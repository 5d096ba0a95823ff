package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// instanceOf is an instance with many dead letters that answers a replay as it is told.
func instanceOf(t *testing.T, replay func(w http.ResponseWriter, key string, ids []string)) (at string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			listed(w, r.URL.Query())
			return
		}
		var asked struct {
			IDs []string `json:"ids"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.URL.Path != "/api/v1/dead-letters/replay" {
			t.Errorf("%s: %v", r.URL, err)
		}
		replay(w, r.Header.Get("Idempotency-Key"), asked.IDs)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const manyLetters = mostReplayed + 1500

// listed is a page of manyLetters, whose cursors are numbers.
func listed(w http.ResponseWriter, ask url.Values) {
	from, _ := strconv.Atoi(ask.Get("cursor"))
	limit, _ := strconv.Atoi(ask.Get("limit"))
	end := min(from+limit, manyLetters)
	page := map[string]any{"next_cursor": nil}
	if end < manyLetters {
		page["next_cursor"] = strconv.Itoa(end)
	}
	var items []any
	for n := from; n < end; n++ {
		items = append(items, map[string]any{"id": fmt.Sprintf("0-%d", n)})
	}
	page["items"] = items
	_ = json.NewEncoder(w).Encode(page)
}

func TestAllDeadLettersAreReplayedOrItIsSaidThatThereAreMore(t *testing.T) {
	for args, want := range map[string]int{"--all": manyLetters, "--all --limit 1200": 1200, "--stage late": mostReplayed, "--stage late --limit 20000": manyLetters} {
		got := map[string]bool{}
		at := instanceOf(t, func(w http.ResponseWriter, _ string, ids []string) {
			for _, id := range ids {
				got[id] = true
			}
			_, _ = fmt.Fprintf(w, `{"replayed":%d,"topic":"t"}`, len(ids))
		})
		p := newPlace(t)
		code := p.main(t, append([]string{"dead-letters", "replay", "--url", at}, strings.Fields(args)...)...)
		if code != exitOK || len(got) != want || has(p.err.String(), fmt.Sprintf("there are more such dead letters: these are the latest %d", want)) != (want < manyLetters) {
			t.Errorf("%s: exit code %d, %d replayed: %s%s", args, code, len(got), p.out, p.err)
		}
	}
}

func TestAReplayWhoseAnswerIsLostIsAskedForAgainWithItsKey(t *testing.T) {
	var keys []string
	at := instanceOf(t, func(w http.ResponseWriter, key string, ids []string) {
		keys = append(keys, key)
		if len(keys)%2 == 1 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		_, _ = fmt.Fprintf(w, `{"replayed":%d,"topic":"t"}`, len(ids))
	})
	p := newPlace(t)
	for range 2 {
		if code := p.main(t, "dead-letters", "replay", "0-1", "0-2", "--url", at); code != exitOK || !has(p.out.String(), "replayed 2 of 2") {
			t.Errorf("exit code %d: %s%s", code, p.out, p.err)
		}
	}
	if len(keys) != 4 || keys[0] == "" || keys[0] != keys[1] || keys[2] != keys[3] || keys[0] == keys[2] {
		t.Errorf("keys %q", keys)
	}
	at = instanceOf(t, func(w http.ResponseWriter, key string, _ []string) {
		keys = append(keys, key)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"detail":"whether it was committed is not known"}`))
	})
	if code := p.main(t, "dead-letters", "replay", "0-1", "--url", at); code != exitFailed || !has(p.err.String(), "whether it was committed", "0 of 1 were replayed, and whether the next 1 were is not known") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	if len(slices.Compact(keys)) != 3 {
		t.Errorf("keys %q", keys)
	}
}

func TestAReplayThatIsRefusedFailsInBothWritings(t *testing.T) {
	at := instanceOf(t, func(w http.ResponseWriter, _ string, _ []string) {
		_, _ = w.Write([]byte(`{"replayed":0,"topic":"t","refused":[{"id":"0-1","why":"it was replayed 5 times"}]}`))
	})
	for _, args := range [][]string{nil, {"--json"}} {
		p := newPlace(t)
		if code := p.main(t, append([]string{"dead-letters", "replay", "0-1", "--url", at}, args...)...); code != exitFailed || !has(p.out.String(), "5 times") || !has(p.err.String(), "1 were not replayed") {
			t.Errorf("%v: exit code %d: %s%s", args, code, p.out, p.err)
		}
	}
}

func TestAnInstanceThatIsSlowIsNotCalledAbsent(t *testing.T) {
	ended := make(chan struct{})
	at := instanceOf(t, func(http.ResponseWriter, string, []string) { <-ended })
	defer close(ended)
	c := &client{base: at, http: http.DefaultClient}
	err := limited(t.Context(), 50*time.Millisecond, func(ctx context.Context) error {
		return c.post(ctx, "/api/v1/dead-letters/replay", map[string]any{}, nil, nil)
	})
	if err == nil || !has(err.Error(), at, "has not answered in time") {
		t.Error(err)
	}
}
