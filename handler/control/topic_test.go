package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

// topic is a control topic in memory.
type topic struct {
	mu      sync.Mutex
	records []model.Message
	epoch   int
	news    chan struct{}
	away    bool // nobody takes or answers anything
}

func newTopic() *topic { return &topic{news: make(chan struct{})} }

func (t *topic) wake() {
	close(t.news)
	t.news = make(chan struct{})
}

// append adds a record as somebody else would.
func (t *topic) append(at time.Time, key string, value []byte) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	offset := int64(len(t.records))
	t.records = append(t.records, model.Message{Offset: offset, Timestamp: at.UnixMilli(), Key: []byte(key), Value: value})
	t.wake()
	return offset
}

// set makes the brokers go away or come back.
func (t *topic) set(away bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away = away
	t.wake()
}

// recreate makes it another topic, without records.
func (t *topic) recreate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records, t.epoch = nil, t.epoch+1
	t.wake()
}

// Follow implements Topic.
func (t *topic) Follow(ctx context.Context, see func(*model.Message), reached func()) error {
	t.mu.Lock()
	end, epoch := -1, t.epoch
	t.mu.Unlock()
	for next, told := 0, false; ; {
		t.mu.Lock()
		var batch []model.Message
		if !t.away {
			if end < 0 {
				end = len(t.records)
			}
			batch = t.records[min(next, len(t.records)):]
		}
		news, now := t.news, t.epoch
		t.mu.Unlock()
		if now != epoch {
			return &model.Error{Class: model.Recreated, Op: "fetch topic", Subject: "g-control"}
		}
		for i := range batch {
			m := batch[i]
			see(&m)
			next++
		}
		if end >= 0 && next >= end && !told {
			told = true
			reached()
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Put implements Topic.
func (t *topic) Put(ctx context.Context, key string, value []byte) (int64, error) {
	t.mu.Lock()
	away := t.away
	t.mu.Unlock()
	if away {
		<-ctx.Done()
		return 0, &model.Error{Class: model.Transient, Op: "write to", Subject: "g-control", Err: errors.New("connection refused")}
	}
	return t.append(time.Now(), key, value), nil
}

// last is the value that a key has; there is false for a tombstone or nothing.
func (t *topic) last(key string) (value []byte, there bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.records {
		if string(m.Key) == key {
			value, there = m.Value, m.Value != nil
		}
	}
	return value, there
}

func (t *topic) count(key string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.records {
		if string(m.Key) == key {
			n++
		}
	}
	return n
}

// member is one instance of the group.
type member struct {
	*Control
	t      *testing.T
	status model.InstanceStatus
	heard  []*model.Pause
	log    *bytes.Buffer
	stop   func()

	mu      sync.Mutex
	retries []string
}

// Retrying implements Observer.
func (m *member) Retrying(op string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retries = append(m.retries, op+": "+err.Error())
}

// Recovered implements Observer.
func (m *member) Recovered(string) {}

// set changes what the instance has to tell.
func (m *member) set(f func(*model.InstanceStatus)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.status)
}

func (m *member) own() model.InstanceStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// join starts an instance. It has not read the topic yet.
func join(t *testing.T, on *topic, name string) *member {
	t.Helper()
	m := &member{t: t, status: model.InstanceStatus{Instance: name, State: "reading", Ready: true}, log: &bytes.Buffer{}}
	m.Control = New(Config{Topic: on, Name: "g-control", Observer: m, Log: zerolog.New(m.log), Own: m.own,
		OnPause: func(p *model.Pause) { m.heard = append(m.heard, p) }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	m.stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(m.stop)
	return m
}

// find is what an instance knows of another one.
func (m *member) find(name string) (model.InstanceStatus, bool) {
	for _, s := range m.Instances() {
		if s.Instance == name {
			return s, true
		}
	}
	return model.InstanceStatus{}, false
}

func told(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
