package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"data-stream-engine/model"
)

// The keys of the topic.
const (
	pauseKey       = "pause"
	instancePrefix = "instance/"
)

const (
	mostReason    = 2000 // bytes: the API takes 500 characters, of four bytes at most
	mostName      = 300  // bytes of an instance's name
	mostInstances = 1000 // that are remembered
)

var errReason = fmt.Errorf("the reason is longer than %d bytes", mostReason)

// state is what the records of the topic add up to.
type state struct {
	pause     *model.Pause // nil: the group goes on
	pausedAt  int64        // offset of the record that says so
	instances map[string]*instance
}

// instance is the last status of one instance.
type instance struct {
	status  model.InstanceStatus
	offset  int64
	arrived time.Time // on the monotonic clock, shifted for what was there before
}

func newState() *state { return &state{pausedAt: -1, instances: map[string]*instance{}} }

// take takes note of a record. An error says that it cannot be read, after which nothing has changed; kind is what it is
// about. A record that was written here may be seen twice, or after a later one: the offset decides.
func (s *state) take(m *model.Message, arrived time.Time) (kind string, err error) {
	key := string(m.Key)
	if key == pauseKey {
		return pauseKey, s.takePause(m)
	}
	if name, ok := strings.CutPrefix(key, instancePrefix); ok {
		return instancePrefix, s.takeInstance(name, m, arrived)
	}
	return "", errors.New("its key is unknown to this version")
}

func (s *state) takePause(m *model.Message) error {
	if m.Offset <= s.pausedAt {
		return nil
	}
	if m.Value == nil {
		s.pause, s.pausedAt = nil, m.Offset
		return nil
	}
	p := &model.Pause{}
	if err := json.Unmarshal(m.Value, p); err != nil {
		return err
	}
	s.pause, s.pausedAt = p, m.Offset
	return nil
}

func (s *state) takeInstance(name string, m *model.Message, arrived time.Time) error {
	before := s.instances[name]
	if before != nil && m.Offset <= before.offset {
		return nil
	}
	if m.Value == nil {
		delete(s.instances, name)
		return nil
	}
	var status model.InstanceStatus
	if err := json.Unmarshal(m.Value, &status); err != nil {
		return err
	}
	switch {
	case status.Instance != name:
		return fmt.Errorf("it tells of another instance than its key: %.100q", status.Instance)
	case name == "" || len(name) > mostName || !utf8.ValidString(name):
		return errors.New("its instance has no name that can be shown")
	case before == nil && len(s.instances) >= mostInstances:
		return fmt.Errorf("there are more than %d instances", mostInstances)
	}
	s.instances[name] = &instance{status: status, offset: m.Offset, arrived: arrived}
	return nil
}

// seen is an instance as it is known at a time.
func (i *instance) seen(now time.Time) model.InstanceStatus {
	s, age := i.status, now.Sub(i.arrived)
	s.Age = model.Seconds(age.Round(time.Millisecond).Seconds())
	s.Alive = s.State != stopping && age <= lasts(s.Every)
	return s
}

// stopping is the state of an instance that is about to end.
const stopping = "stopping"

// lasts is how long a status says that its instance is alive. What the record says of that is somebody else's word.
func lasts(told model.Seconds) time.Duration {
	const least, most = model.Seconds(1), model.Seconds(60)
	return time.Duration(aliveFor*min(max(told, least), most)*model.Seconds(time.Second)) + time.Second
}

// same tells whether two pauses say the same.
func same(a, b *model.Pause) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.By == b.By && a.Reason == b.Reason && a.At.Equal(b.At)
}

// stamp is a time as documents have it: UTC, milliseconds.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
