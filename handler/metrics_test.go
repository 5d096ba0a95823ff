package handler

import (
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"data-stream-engine/model"
)

// family is one metric as it is scraped.
func family(t *testing.T, m *Metrics, name string) *dto.MetricFamily {
	t.Helper()
	all, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}

func TestBatchesAreCountedByOutcome(t *testing.T) {
	m := NewMetrics("g", "v1")
	m.Batch(model.Result{Consumed: 10, Forwarded: 6, Filtered: 3, DeadLetters: 1, Outputs: 7}, model.Tally{}, 2*time.Millisecond)
	m.Batch(model.Result{Consumed: 5, Forwarded: 5, Outputs: 5}, model.Tally{}, time.Millisecond)
	want := map[string]float64{"forwarded": 11, "filtered": 3, "dead_letter": 1}
	for _, metric := range family(t, m, "stream_engine_events_total").GetMetric() {
		outcome := metric.GetLabel()[0].GetValue()
		if got := metric.GetCounter().GetValue(); got != want[outcome] {
			t.Errorf("%s is %v, want %v", outcome, got, want[outcome])
		}
	}
	if totals := m.Totals(); totals.Consumed != 15 || totals.Outputs != 12 || totals.Forwarded != 11 {
		t.Errorf("totals are %+v", totals)
	}
	if n := family(t, m, "stream_engine_batch_seconds").GetMetric()[0].GetHistogram().GetSampleCount(); n != 2 {
		t.Errorf("%d batches measured, want 2", n)
	}
}

func TestLagOfARevokedPartitionDisappears(t *testing.T) {
	m := NewMetrics("g", "v1")
	a, b := model.TopicPartition{Topic: "t", Partition: 0}, model.TopicPartition{Topic: "t", Partition: 1}
	m.Lag(a, 7)
	m.Lag(b, 5)
	m.Lag(b, 4)
	if lag := m.Totals().Lag; lag != 11 {
		t.Errorf("lag is %d, want 11", lag)
	}
	m.DropLag(a)
	left := family(t, m, "kafka_consumergroup_lag").GetMetric()
	if len(left) != 1 || left[0].GetGauge().GetValue() != 4 || m.Totals().Lag != 4 {
		t.Fatalf("left: %v", left)
	}
	var labels []string
	for _, l := range left[0].GetLabel() {
		labels = append(labels, l.GetName()+"="+l.GetValue())
	}
	if got := strings.Join(labels, " "); got != "consumergroup=g partition=1 topic=t" {
		t.Errorf("labels are %s", got)
	}
}

func TestIncidentsAreCounted(t *testing.T) {
	m := NewMetrics("g", "v1")
	m.Retry("produce", model.Transient)
	m.Transaction(TransactionCommitted)
	m.Rebalanced()
	m.Fenced()
	m.RecordsLost(12)
	m.RecordsLost(-1) // never a panic: a counter cannot fall
	m.Committed(time.Millisecond)
	m.EndToEnd(-time.Second)
	for name, want := range map[string]float64{"stream_engine_rebalances_total": 1, "stream_engine_instance_fenced_total": 1, "stream_engine_records_lost_total": 12, "stream_engine_retries_total": 1} {
		if got := family(t, m, name).GetMetric()[0].GetCounter().GetValue(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if n := len(family(t, m, "stream_engine_transactions_total").GetMetric()); n != 3 {
		t.Errorf("%d outcomes of transactions, want all 3 from the start", n)
	}
	if family(t, m, "stream_engine_build_info").GetMetric()[0].GetGauge().GetValue() != 1 {
		t.Error("build info is missing")
	}
}

func TestReadinessAndMetricsTakeConcurrentUse(t *testing.T) {
	m, r := NewMetrics("g", "v1"), NewReadiness()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				tp := model.TopicPartition{Topic: "t", Partition: int32(i)}
				m.Lag(tp, int64(n))
				m.Batch(model.Result{Consumed: 1}, model.Tally{}, 0)
				m.Totals()
				m.DropLag(tp)
				r.Set("broker", "away")
				r.Report()
				r.Clear("broker")
			}
		})
	}
	wg.Wait()
	if got := m.Totals(); got.Consumed != 800 || got.Lag != 0 {
		t.Errorf("totals are %+v", got)
	}
}

func TestReadinessTellsWhatIsNews(t *testing.T) {
	r := NewReadiness()
	if !r.Report().Ready {
		t.Error("not ready without a condition")
	}
	if !r.Set("broker", "a") || r.Set("broker", "a") || !r.Set("broker", "b") {
		t.Error("Set does not tell news from repetition")
	}
	since := r.Report().Waiting[0].Since
	time.Sleep(time.Millisecond)
	r.Set("broker", "c")
	if !r.Report().Waiting[0].Since.Equal(since) {
		t.Error("another reason began a new time")
	}
	if !r.Clear("broker") || r.Clear("broker") {
		t.Error("Clear does not tell news from repetition")
	}
}

func TestNotesAreReportedAndKeepNothingFromBeingReady(t *testing.T) {
	r := NewReadiness()
	if !r.Note("paused", "by a") || r.Note("paused", "by a") || !r.Note("paused", "by b") {
		t.Error("what is news is told wrong")
	}
	r.Note("control", "away")
	got := r.Report()
	if !got.Ready || len(got.Notes) != 2 || got.Notes[0].Name != "control" || got.Notes[1].Reason != "by b" {
		t.Errorf("got %+v", got)
	}
	if !r.ClearNote("paused") || r.ClearNote("paused") || len(r.Report().Notes) != 1 {
		t.Error("a note is not taken back once")
	}
	r.Set("paused", "a condition of the same name")
	if r.ClearNote("paused") || r.Report().Ready {
		t.Error("notes and conditions are mixed up")
	}
}
