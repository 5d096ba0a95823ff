package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FeedTraffic sends at a rate until stop is called, which returns how many were sent when all are there.
func (st *Stream) FeedTraffic(traffic *Traffic, perSecond int) (stop func() int) {
	return st.feed(st.sender(), perSecond, traffic.Next)
}

// sender is a client that sends each record to the partition it names.
func (st *Stream) sender() *Client {
	st.t.Helper()
	if st.manual == nil {
		st.manual = st.Suite.Cluster.Client(st.t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return st.manual
}

// SendTraffic sends records to the partitions they name.
func (st *Stream) SendTraffic(records ...*kgo.Record) {
	st.t.Helper()
	st.sendBy(st.sender(), records)
}

// Grow gives the source topic more partitions, and waits until the test can send to them. The last one begins with an event
// that is filtered and has no time.
func (st *Stream) Grow(partitions int32) {
	st.t.Helper()
	Until(st.t, time.Minute, "more partitions of "+st.Source, func(ctx context.Context) error {
		answer, err := st.Client.Admin.UpdatePartitions(ctx, int(partitions), st.Source)
		if err == nil {
			err = answer.Error()
		}
		if err != nil && !strings.Contains(err.Error(), "INVALID_PARTITIONS") {
			return err
		}
		details, err := st.Client.Admin.ListTopics(ctx, st.Source)
		if err != nil {
			return err
		}
		if got := len(details[st.Source].Partitions); got != int(partitions) {
			return fmt.Errorf("it has %d", got)
		}
		return nil
	})
	sender := st.sender()
	Until(st.t, time.Minute, "the test knows the new partitions", func(ctx context.Context) error {
		sender.ForceMetadataRefresh()
		return sender.Send(ctx, st.Source, &kgo.Record{Partition: partitions - 1, Value: []byte(`{"user_id":""}`)})
	})
	st.Partitions = partitions
}

// Aggregated makes a stream one with aggregates: its pipeline file, and settings that suit short windows.
func (st *Stream) Aggregated(pipeline string, more Env) {
	st.t.Helper()
	st.Env = st.Env.With(Env{"PIPELINE_FILE": st.PipelineFile(pipeline), "IDLE_TIMEOUT": "20s"}).With(more)
}

// PipelineFile writes one.
func (st *Stream) PipelineFile(text string) (path string) {
	st.t.Helper()
	dir := st.t.TempDir()
	path = filepath.Join(dir, "pipeline.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		st.t.Fatal(err)
	}
	return path
}

// Beside is another group on the same source topic, with an output of its own.
func (st *Stream) Beside(name string) *Stream {
	st.t.Helper()
	other := *st
	other.Group, other.Output = st.Group+"-"+name, st.Output+"-"+name
	other.DeadLetters = other.Group + "-dead-letter"
	other.Client.CreateTopic(st.t, other.Output, st.OutputPartitions)
	other.Client.CreateTopic(st.t, other.DeadLetters, 2)
	other.Client.CreateTopic(st.t, other.Group+"-replay", other.Partitions)
	other.Env = st.Env.With(Env{"KAFKA_GROUP_ID": other.Group, "KAFKA_OUTPUT_TOPIC": other.Output})
	return &other
}

// Insights is the topic of a group's insights.
func (st *Stream) Insights() string { return st.Group + "-insights" }

// Hearing is what a stream's windows are checked with.
type Hearing struct {
	Aggregates []Aggregate
	Judge      Judge
	Young      []int32 // see Trial
}

// Replay reads the source topic.
func (st *Stream) Replay(h Hearing) *Replay {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), 2*time.Minute)
	defer cancel()
	records, err := st.Client.ReadAll(ctx, st.Source)
	if err != nil {
		st.t.Fatal(err)
	}
	return Replayed(records, h.Judge, h.Aggregates)
}

// AwaitWindows waits until the insights are what the source topic says they have to be, and returns the last verdict. It
// gives up after the time, or when nothing has changed for half a minute.
func (st *Stream) AwaitWindows(h Hearing, replay *Replay, timeout time.Duration) (*Verdict, error) {
	st.t.Helper()
	verdict := &Verdict{}
	began, moved := time.Now(), time.Now()
	for {
		ctx, cancel := context.WithTimeout(st.t.Context(), 20*time.Second)
		insights, err := st.Client.ReadAll(ctx, st.Insights())
		cancel()
		if err == nil {
			if len(insights) != verdict.Records {
				moved = time.Now()
			}
			verdict = Try(Trial{Replay: replay, Insights: insights, Young: h.Young})
			if !verdict.Pending() {
				return verdict, nil
			}
		}
		if time.Since(began) > timeout || time.Since(moved) > 30*time.Second {
			return verdict, err
		}
		time.Sleep(time.Second)
	}
}

// CompareLate is Compare with the dead letters of late events.
func (st *Stream) CompareLate(h Hearing, replay *Replay) (*Report, error) {
	return st.compare(st.t.Context(), Records{Judge: &h.Judge, Late: replay.Missed})
}

// Ends are those of the source topic now.
func (st *Stream) Ends() Offsets {
	st.t.Helper()
	var ends map[int32]int64
	Until(st.t, time.Minute, "the end of "+st.Source, func(ctx context.Context) (err error) {
		ends, _, err = st.Client.ends(ctx, st.Source)
		return err
	})
	return ends
}

// Length is how many offsets a topic has, markers included; -1 when it cannot be told.
func (c *Client) Length(ctx context.Context, topic string) (sum int64) {
	ends, _, err := c.ends(ctx, topic)
	if err != nil {
		return -1
	}
	for _, end := range ends {
		sum += end
	}
	return sum
}

// Finals are the measures of every window that is final, byte for byte, by the key of its insight.
func (st *Stream) Finals() map[string]string {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), time.Minute)
	defer cancel()
	records, err := st.Client.ReadAll(ctx, st.Insights())
	if err != nil {
		st.t.Fatal(err)
	}
	finals := map[string]string{}
	for _, r := range records {
		var insight struct {
			Measures json.RawMessage
			Final    bool
		}
		delete(finals, string(r.Key))
		if r.Value == nil {
			continue
		}
		if err := json.Unmarshal(r.Value, &insight); err != nil {
			st.t.Fatalf("%s: %v", Place(r), err)
		}
		if insight.Final {
			finals[string(r.Key)] = string(insight.Measures)
		}
	}
	return finals
}
