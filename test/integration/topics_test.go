package integration

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

func TestMissingTopicIsNamed(t *testing.T) {
	st := suite.NewStream(t, harness.NoTopics())
	engine := st.Start("one", nil)
	if code := engine.Exit(t, soon); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, want := range []string{st.Source, "KAFKA_AUTO_CREATE_TOPICS"} {
		if !strings.Contains(engine.Log(), want) {
			t.Errorf("the message does not name %s", want)
		}
	}
	missing(t, st, st.Source, st.Output, st.DeadLetters)
}

func missing(t *testing.T, st *harness.Stream, topics ...string) {
	t.Helper()
	details, err := st.Client.Admin.ListTopics(t.Context(), topics...)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		if details.Has(topic) {
			t.Errorf("topic %s was created", topic)
		}
	}
}

func TestTopicsAreCreatedWhenAllowed(t *testing.T) {
	st := suite.NewStream(t, harness.NoTopics())
	engine := st.Start("one", harness.Env{"KAFKA_AUTO_CREATE_TOPICS": "true", "KAFKA_PARTITIONS": "3"})
	engine.AwaitReady(t, soon)
	details, err := st.Client.Admin.ListTopics(t.Context(), st.Source, st.Output, st.DeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{st.Source, st.Output, st.DeadLetters} {
		if got := len(details[topic].Partitions); got != 3 {
			t.Errorf("%s has %d partitions, want 3", topic, got)
		}
	}
	st.Feed(300)
	st.Finish(soon)
}

func TestRecreatedSourceTopicIsReadFromItsBeginning(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %t", running), func(t *testing.T) { recreate(t, running) })
	}
}

func recreate(t *testing.T, running bool) {
	st := suite.NewStream(t)
	st.Logins.Broken = 0 // dead letters of the two topics could not be told apart
	engine := st.Start("one", nil)
	st.Feed(800)
	st.Finish(soon)
	before, err := st.Client.ReadAll(t.Context(), st.Source)
	if err != nil {
		t.Fatal(err)
	}
	if !running {
		engine.Stop(t)
	}
	if answer, err := st.Client.Admin.DeleteTopic(t.Context(), st.Source); err != nil || answer.Err != nil {
		t.Fatal(err, answer.Err)
	}
	harness.Until(t, soon, "the topic is gone", func(c ctx) error {
		details, err := st.Client.Admin.ListTopics(c, st.Source)
		if err == nil && details.Has(st.Source) {
			err = errors.New("it is still there")
		}
		return err
	})
	if running {
		time.Sleep(1500 * time.Millisecond) // it meets the gap
	}
	st.Client.PurgeTopicsFromClient(st.Source)
	st.Client.CreateTopic(t, st.Source, 4)
	other := suite.Cluster.Client(t) // one that has never heard of the old topic
	var records []*kgo.Record
	for range 300 { // fewer than before: the old offsets are beyond the new end
		records = append(records, st.Logins.Next())
	}
	harness.Until(t, soon, "send to the new topic", func(c ctx) error { return other.Send(c, st.Source, records...) })
	if !running {
		engine = st.Start("one", nil)
	}
	harness.Until(t, late, "the new topic is processed", func(c ctx) error {
		after, err := other.ReadAll(c, st.Source)
		if err != nil {
			return err
		}
		output, err := other.ReadAll(c, st.Output)
		if err != nil {
			return err
		}
		return harness.Compare(harness.Records{Input: append(slices.Clip(before), after...), Output: output, Partitions: st.OutputPartitions}).Err()
	})
	if running { // otherwise there is nobody to notice: brokers drop a group's offsets with the topic
		engine.Says(t, time.Second, st.Source, "created again")
	}
	engine.AwaitReady(t, soon)
}

func TestAbortedRecordsOfTheSourceAreNotProcessed(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(2, 2))
	engine := st.Start("one", nil)
	engine.AwaitReady(t, soon)
	producer := suite.Cluster.Client(t, kgo.TransactionalID(st.Group+"-test"))
	transaction := func(count int, end kgo.TransactionEndTry) {
		t.Helper()
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range count {
			if err := producer.Send(t.Context(), st.Source, st.Logins.Next()); err != nil {
				t.Fatal(err)
			}
		}
		if err := producer.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	processed := func(c ctx) error {
		report, err := st.Compare(c)
		if err == nil {
			err = report.Err()
		}
		return err
	}
	for range 3 {
		transaction(30, kgo.TryCommit)
		transaction(20, kgo.TryAbort)
		transaction(10, kgo.TryCommit)
		transaction(1, kgo.TryAbort)
	}
	harness.Until(t, soon, "committed records are processed, aborted ones are not", processed)
	harness.Until(t, soon, "trailing markers are no lag", func(c ctx) error { return noLag(c, engine) })
	st.Feed(50)
	transaction(25, kgo.TryAbort)
	harness.Until(t, soon, "behind the markers it goes on", processed)
	harness.Until(t, soon, "trailing markers are no lag", func(c ctx) error { return noLag(c, engine) })

	// Nothing is processed beyond a transaction that is open.
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.Send(t.Context(), st.Source, st.Logins.Next(), st.Logins.Next()); err != nil {
		t.Fatal(err)
	}
	before := engine.Events(t, "forwarded") + engine.Events(t, "filtered") + engine.Events(t, "dead_letter")
	time.Sleep(time.Second)
	if after := engine.Events(t, "forwarded") + engine.Events(t, "filtered") + engine.Events(t, "dead_letter"); after != before {
		t.Errorf("%g records of an open transaction were processed", after-before)
	}
	if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, soon, "they are processed once they are committed", processed)
}

func noLag(c ctx, engine *harness.Instance) error {
	_, body, err := engine.Get(c, "/metrics")
	if err != nil {
		return err
	}
	lags := regexp.MustCompile(`(?m)^kafka_consumergroup_lag\{.*\} (\d+)$`).FindAllStringSubmatch(body, -1)
	if len(lags) == 0 {
		return errors.New("no lag is reported")
	}
	for _, lag := range lags {
		if lag[1] != "0" {
			return errors.New(lag[0])
		}
	}
	return nil
}

func TestNewSourcePartitionsArePickedUp(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(2, 2))
	env := harness.Env{"KAFKA_AUTO_OFFSET_RESET": "latest"} // a new partition is read from its beginning all the same
	engine := st.Start("one", env)
	engine.AwaitReady(t, soon)
	st.Feed(200)
	st.Finish(soon)
	if answers, err := st.Client.Admin.UpdatePartitions(t.Context(), 5, st.Source); err != nil || answers.Error() != nil {
		t.Fatal(err, answers.Error())
	}
	other := suite.Cluster.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p := range int32(5) {
		var records []*kgo.Record
		for range 20 {
			r := st.Logins.Next()
			r.Partition = p
			records = append(records, r)
		}
		harness.Until(t, soon, "send to a new partition", func(c ctx) error { return other.Send(c, st.Source, records...) })
	}
	harness.Until(t, late, "events of new partitions are processed", func(c ctx) error {
		report, err := st.Compare(c)
		if err == nil {
			err = report.Err()
		}
		return err
	})
}

// Retention was faster than the engine: what is gone is counted and named, the rest is processed.
func TestDeletedRecordsAreCountedAndTheStreamGoesOn(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(1, 1))
	engine := st.Start("one", nil)
	st.Feed(100)
	st.Finish(soon)
	engine.Stop(t)
	processed, err := st.Client.ReadAll(t.Context(), st.Source)
	if err != nil {
		t.Fatal(err)
	}
	st.Feed(200)
	gone := kadm.Offsets{}
	gone.AddOffset(st.Source, 0, 250, -1)
	if answers, err := st.Client.Admin.DeleteRecords(t.Context(), gone); err != nil || answers.Error() != nil {
		t.Fatal(err, answers.Error())
	}
	engine = st.Start("one", nil)
	st.AwaitDone(soon)
	left, err := st.Client.ReadAll(t.Context(), st.Source)
	if err != nil {
		t.Fatal(err)
	}
	output, err := st.Client.ReadAll(t.Context(), st.Output)
	if err != nil {
		t.Fatal(err)
	}
	letters, err := st.Client.ReadAll(t.Context(), st.DeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	report := harness.Compare(harness.Records{Input: append(processed, left...), Output: output, DeadLetters: letters, Partitions: 1})
	if err := report.Err(); err != nil || len(left) != 50 {
		t.Errorf("%d records were left: %v", len(left), err)
	}
	if lost := engine.Metric(t, "stream_engine_records_lost_total"); lost != 150 {
		t.Errorf("stream_engine_records_lost_total is %g, not 150", lost)
	}
	engine.Says(t, soon, `"error"`, st.Source, "100")
}
