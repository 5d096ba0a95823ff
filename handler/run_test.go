package handler

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
)

// listed are Records over a list.
type listed struct {
	messages []model.Message
	at       int
}

func (l *listed) Next(m *model.Message) bool {
	if l.at == len(l.messages) {
		return false
	}
	*m = l.messages[l.at]
	l.at++
	return true
}

func (l *listed) Err() error        { return nil }
func (l *listed) NextOffset() int64 { return int64(l.at) }
func (l *listed) SkipBatch()        {}

func messages(sizes ...int) *listed {
	l := &listed{}
	for i, n := range sizes {
		l.messages = append(l.messages, model.Message{Offset: int64(i), Timestamp: int64(1000 - i), Key: make([]byte, n/2), Value: make([]byte, n-n/2)})
	}
	return l
}

func TestBoundedEndsAtEitherLimitAndTellsThatThereIsMore(t *testing.T) {
	for _, c := range []struct {
		left, room int
		want       int // messages
		full       bool
	}{
		{10, 1000, 5, false}, {5, 1000, 5, true}, {2, 1000, 2, true}, {0, 1000, 0, true},
		{10, 30, 3, true}, {10, 25, 3, true}, {10, 50, 5, true}, {10, 0, 0, true}, {1, 1, 1, true},
	} {
		records, begun := messages(10, 10, 10, 10, 10), 0
		b := bounded{Records: records, left: c.left, room: c.room, begin: func() error { begun++; return nil }}
		var m model.Message
		n := 0
		for b.Next(&m) {
			n++
		}
		if n != c.want || b.full() != c.full || begun != n {
			t.Errorf("%d messages, %d bytes: %d yielded, full %v, begun %d times", c.left, c.room, n, b.full(), begun)
		}
		if n > 0 && b.oldest != int64(1001-n) {
			t.Errorf("the oldest is %d", b.oldest)
		}
		if records.at != n {
			t.Errorf("%d messages were read and %d yielded: what is read is lost for the next round", records.at, n)
		}
	}
}

func TestBoundedBeginsNothingForNothing(t *testing.T) {
	b := bounded{Records: messages(), left: 10, room: 10, begin: func() error { return errors.New("begun") }}
	if b.Next(&model.Message{}) || b.err != nil {
		t.Error("a transaction of no message")
	}
	b.Records = messages(1)
	if b.Next(&model.Message{}) || b.err == nil || b.Next(&model.Message{}) {
		t.Error("a message without its transaction")
	}
}

func TestBatchKnowsItsOldestMessage(t *testing.T) {
	var b batch
	for _, oldest := range []int64{0, 500, 300, 0, 400} { // 0: no message
		b.add(&deed{result: model.Result{Consumed: 1}, bytes: 2, oldest: oldest})
	}
	if b.oldest != 300 || b.result.Consumed != 5 || b.bytes != 10 {
		t.Errorf("%+v", b)
	}
}

func TestCommitIsDueWhenTheTimeIsUpOrTheBrokerHadNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 100 * time.Millisecond
		now := time.Now()
		for _, c := range []struct {
			name      string
			open      bool
			begun     time.Duration // ago
			committed time.Duration // ago
			waited    time.Duration
			short     bool
			want      bool
		}{
			{"nothing is open", false, interval, interval, 0, true, false},
			{"just begun, more is there", true, 0, interval, 0, false, false},
			{"just begun after a quiet time", true, 0, interval, 0, true, true},
			{"most of the interval has passed", true, interval / 2, interval / 2, 0, true, true},
			{"the last commit was just now", true, interval / 4, interval / 4, 0, true, false},
			{"the last commit was just now, but the messages have waited", true, 0, interval / 4, interval / 2, true, true},
			{"the messages have waited, more is there", true, 0, interval / 4, interval / 2, false, false},
			{"the time is up, more is there", true, interval, interval, 0, false, true},
			{"the time is up, though the last commit was later", true, interval, interval / 4, 0, false, true},
		} {
			r := &run{Engine: &Engine{cfg: Config{CommitInterval: interval, ExactlyOnce: true}}, open: c.open, deadline: now.Add(interval - c.begun), committed: now.Add(-c.committed), waited: c.waited}
			if got := r.due(&model.Fetch{Short: c.short}); got != c.want {
				t.Errorf("%s: %v", c.name, got)
			}
		}
	})
}

// What an event waits at most counts from when the broker has it, not from when it was fetched.
func TestTimeAtTheBrokerCountsAsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 100 * time.Millisecond
		for _, c := range []struct {
			open         time.Duration // left of an open transaction; 0: none is open
			waited, left time.Duration
		}{{0, 0, interval}, {0, interval / 4, interval * 3 / 4}, {0, interval, interval / 10}, {0, 3 * interval, interval / 10},
			{interval / 2, interval / 4, interval / 2}, {interval / 2, interval * 3 / 4, interval / 4}} {
			r := &run{Engine: &Engine{cfg: Config{CommitInterval: interval}}, committer: &committer{steps: make(chan step, 1)}, open: c.open > 0, deadline: time.Now().Add(c.open)}
			r.arrived(c.waited)
			if err := r.begin(); err != nil {
				t.Fatal(err)
			}
			if left := time.Until(r.deadline); left != c.left {
				t.Errorf("after %s at the broker, %s left of a transaction: %s are left, want %s", c.waited, c.open, left, c.left)
			}
		}
	})
}

func TestRefusalsHaveShortNames(t *testing.T) {
	for code, want := range map[int16]string{10: "message_too_large", 18: "message_too_large", 32: "invalid_timestamp", 44: "policy_violation", 87: "invalid_record", 43: "refused"} {
		if got := refusalCode(fmt.Errorf("produce: %w", &model.Error{Class: model.Rejected, Code: code})); got != want {
			t.Errorf("%d is %s, want %s", code, got, want)
		}
	}
	if got := refusalCode(errors.New("no code")); got != "refused" {
		t.Error(got)
	}
}

func TestTransactionTookTooLongOnlyWhenItDid(t *testing.T) {
	const timeout = 10 * time.Second
	within, cancel := context.WithCancel(t.Context())
	defer cancel()
	over, end := context.WithTimeout(t.Context(), 0)
	defer end()
	fenced := &model.Error{Class: model.Fenced, Err: context.DeadlineExceeded} // of one request, not of the transaction
	for name, c := range map[string]struct {
		err    error
		within context.Context
		age    time.Duration
		want   model.Class
	}{
		"fenced early":                {fenced, within, time.Second, model.Fenced},
		"fenced when the time was up": {fenced, within, timeout, model.TimedOut},
		"the group moved on":          {&model.Error{Class: model.Rejoin}, within, timeout, model.Rejoin},
		"no success for long":         {context.DeadlineExceeded, over, timeout, model.TimedOut},
		"stopped":                     {context.Canceled, within, timeout, model.Transient},
	} {
		committer := &committer{Engine: &Engine{cfg: Config{TransactionTimeout: timeout}}, opened: time.Now().Add(-c.age), within: c.within}
		if got := model.ClassOf(committer.explain(c.err)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
