package handler

import (
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"data-stream-engine/model"
)

// The outcomes of a transaction.
const (
	TransactionCommitted = "committed"
	TransactionAborted   = "aborted"
	TransactionUnknown   = "unknown" // no definite answer: settled by a new producer epoch
)

// Totals are the sums since the start, for the log.
type Totals struct {
	model.Result
	Tally      model.Tally
	Partitions int   // whose lag is known: those of this instance
	Lag        int64 // messages behind, over these
}

// Metrics are the numbers of one instance, for Prometheus and for the log. Its methods are called per batch, per
// commit or per incident, never per event. It is safe for concurrent use.
type Metrics struct {
	registry     *prometheus.Registry
	group        string
	forwarded    prometheus.Counter
	filtered     prometheus.Counter
	deadLetters  prometheus.Counter
	batch        prometheus.Histogram
	endToEnd     prometheus.Histogram
	commit       prometheus.Histogram
	transactions *prometheus.CounterVec
	retries      *prometheus.CounterVec
	lag          *prometheus.GaugeVec
	rebalances   prometheus.Counter
	lost         prometheus.Counter
	fenced       prometheus.Counter
	paused       prometheus.Gauge
	reloads      *prometheus.CounterVec
	pipeline     *prometheus.GaugeVec
	late         prometheus.Counter
	replayed     prometheus.Counter
	windowMetrics
	wayMetrics

	mu     sync.Mutex
	totals model.Result
	tally  model.Tally
	behind map[model.TopicPartition]int64
}

// NewMetrics registers everything in a registry of its own. group is the consumer group, version that of the program.
func NewMetrics(group, version string) *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{
		registry: r, group: group, behind: make(map[model.TopicPartition]int64),
		batch: histogram(r, "stream_engine_batch_seconds", "Time to process one batch of events.", prometheus.ExponentialBuckets(0.0001, 2.5, 12)),
		endToEnd: histogram(r, "stream_engine_end_to_end_seconds", "Time from the timestamp of the oldest event of a commit to that commit.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}),
		commit: histogram(r, "stream_engine_commit_seconds", "Time of a commit, from the first request to the last answer.",
			[]float64{.002, .005, .01, .015, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}),
		transactions: counters(r, "stream_engine_transactions_total", "Kafka transactions that ended.", "outcome"),
		retries:      counters(r, "stream_engine_retries_total", "Attempts that failed and were made again.", "operation", "class"),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "kafka_consumergroup_lag",
			Help: "Messages behind the end of the partition, for the partitions of this instance."}, []string{"consumergroup", "topic", "partition"}),
		rebalances: counter(r, "stream_engine_rebalances_total", "Generations of the group that this instance joined."),
		lost:       counter(r, "stream_engine_records_lost_total", "Messages that the broker had deleted before they were read."),
		fenced:     counter(r, "stream_engine_instance_fenced_total", "Times that another process with the same INSTANCE_ID took this one's place."),
	}
	m.reloadMetrics(r)
	m.wayMetrics = newWayMetrics(r)
	events := counters(r, "stream_engine_events_total", "Events by what became of them.", "outcome")
	m.forwarded = events.WithLabelValues("forwarded")
	m.filtered = events.WithLabelValues("filtered")
	m.deadLetters = events.WithLabelValues("dead_letter")
	m.late = events.WithLabelValues("late")
	m.replayed = counter(r, "stream_engine_replayed_total", "Dead letters that were replayed; what became of them is counted like any event. One that only fed the aggregates that it had missed has no outcome.")
	m.windowMetrics = newWindowMetrics(r)
	for _, outcome := range []string{TransactionCommitted, TransactionAborted, TransactionUnknown} {
		m.transactions.WithLabelValues(outcome) // there from the start, with 0
	}
	gcTime := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/gc/total:cpu-seconds$`)}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stream_engine_build_info", Help: "Always 1; the labels say what runs."}, []string{"version", "goversion"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	r.MustRegister(m.lag, info, collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(gcTime)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gatherer is what /metrics serves.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Registerer takes the metrics of parts that have their own.
func (m *Metrics) Registerer() prometheus.Registerer { return m.registry }

// Batch counts the fates of the events of one batch that is now final - committed, with exactly once - which ways they
// went, and the time that processing them took.
func (m *Metrics) Batch(r model.Result, ways model.Tally, took time.Duration) {
	m.forwarded.Add(float64(r.Forwarded))
	m.filtered.Add(float64(r.Filtered))
	m.deadLetters.Add(float64(r.DeadLetters))
	m.late.Add(float64(r.Late))
	m.replayed.Add(float64(r.Replayed))
	m.lateEvents.Add(float64(r.Late))
	m.batch.Observe(took.Seconds())
	m.ways(ways)
	m.mu.Lock()
	m.totals.Add(r)
	m.tally.Add(ways)
	m.mu.Unlock()
}

// Committed measures a commit that succeeded.
func (m *Metrics) Committed(took time.Duration) { m.commit.Observe(took.Seconds()) }

// EndToEnd measures the oldest event of a commit: from its timestamp to the commit. A timestamp of the future counts 0.
func (m *Metrics) EndToEnd(took time.Duration) { m.endToEnd.Observe(max(took, 0).Seconds()) }

// Transaction counts a transaction that ended, by one of the outcomes above.
func (m *Metrics) Transaction(outcome string) { m.transactions.WithLabelValues(outcome).Inc() }

// Retry counts an attempt that failed and is made again. operation is short and one of few.
func (m *Metrics) Retry(operation string, class model.Class) {
	m.retries.WithLabelValues(operation, class.String()).Inc()
}

// Lag says how many messages the partition is behind.
func (m *Metrics) Lag(tp model.TopicPartition, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.behind[tp] = n
	m.lag.WithLabelValues(m.group, tp.Topic, strconv.Itoa(int(tp.Partition))).Set(float64(n))
}

// DropLag forgets a partition that this instance no longer has: its new owner reports it.
func (m *Metrics) DropLag(tp model.TopicPartition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.behind, tp)
	m.lag.DeleteLabelValues(m.group, tp.Topic, strconv.Itoa(int(tp.Partition)))
}

// Rebalanced counts a generation that this instance joined.
func (m *Metrics) Rebalanced() { m.rebalances.Inc() }

// RecordsLost counts messages that were deleted before they were read.
func (m *Metrics) RecordsLost(n int64) { m.lost.Add(float64(max(n, 0))) }

// Fenced counts the times another process with the same INSTANCE_ID took over.
func (m *Metrics) Fenced() { m.fenced.Inc() }

// Totals are the sums since the start.
func (m *Metrics) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := Totals{Result: m.totals, Tally: m.tally.Clone(), Partitions: len(m.behind)}
	for _, n := range m.behind {
		t.Lag += n
	}
	return t
}

func counter(r *prometheus.Registry, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	r.MustRegister(c)
	return c
}

func counters(r *prometheus.Registry, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

func histogram(r *prometheus.Registry, name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	r.MustRegister(h)
	return h
}
