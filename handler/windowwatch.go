package handler

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// ConditionRestored is the name of the condition that the state of all windows of this instance has been read.
const ConditionRestored = "restored"

// ConditionUnrestorable is the name of the condition that this state can be had: waiting alone will not help.
const ConditionUnrestorable = "unrestorable"

// ConditionAggregates is the name of the condition that no window is held up by something that cannot be read.
const ConditionAggregates = "aggregates"

// windowWatch is what Watch knows of windows. It is safe for concurrent use.
type windowWatch struct {
	mu         sync.Mutex
	restore    restoration
	merging    map[int32]MergeState // that this instance has
	polling    bool                 // the last attempt to read partials failed
	held       map[int32]held
	highlights map[int32][]aggregate.Highlight
	inexact    bool
	repeats    bool // events may count twice, as at least once allows
	counts     map[int32]aggregate.Counts
}

// held is a record of a partition of the partials topic that cannot be read.
type held struct {
	offset int64
	why    string
}

func newWindowWatch() windowWatch {
	return windowWatch{merging: map[int32]MergeState{}, held: map[int32]held{}, highlights: map[int32][]aggregate.Highlight{}, counts: map[int32]aggregate.Counts{}}
}

// repeats says that events may be read again that have counted.
func (w *Watch) repeats() {
	w.windows.mu.Lock()
	defer w.windows.mu.Unlock()
	w.windows.repeats = true
}

// Merging says which partitions of the partials this instance has from now on.
func (w *Watch) Merging(partitions []int32) {
	w.windows.mu.Lock()
	defer w.windows.mu.Unlock()
	before := w.windows.merging
	w.windows.merging = map[int32]MergeState{}
	for _, number := range partitions {
		state, known := before[number]
		if !known {
			state = MergeState{Partition: number, Watermark: aggregate.NoWatermark}
		}
		w.windows.merging[number] = state
	}
}

// Restoring says that the state of partitions has to be read before their windows go on.
func (w *Watch) Restoring(partitions ...int32) {
	w.windows.mu.Lock()
	w.windows.restore = restoration{total: len(partitions), left: map[int32]float64{}, began: time.Now()}
	for _, number := range partitions {
		w.windows.restore.left[number] = 0
	}
	w.windows.mu.Unlock()
	w.unrestored(len(partitions))
}

// unrestored makes known how many partitions are to be restored.
func (w *Watch) unrestored(partitions int) {
	w.Readiness.Clear(ConditionUnrestorable)
	if partitions == 0 {
		w.Readiness.Clear(ConditionRestored)
		return
	}
	w.Readiness.Set(ConditionRestored, fmt.Sprintf("the windows of %d partitions are being restored; events are processed meanwhile", partitions))
}

// Restored says that one of them has been.
func (w *Watch) Restored(partition int32) {
	w.windows.mu.Lock()
	delete(w.windows.restore.left, partition)
	w.windows.restore.err = ""
	left := len(w.windows.restore.left)
	w.windows.mu.Unlock()
	w.unrestored(left)
}

// RestoreProgress is for a restore to say how far it is. The log hears of one that takes long.
func (w *Watch) RestoreProgress(partition int32) func(done, end int64) {
	last := time.Now()
	return func(done, end int64) {
		w.Progress.Made()
		w.windows.restoring(partition, done, end)
		w.Readiness.Set(ConditionRestored, fmt.Sprintf("the windows of partition %d are being restored: offset %d of %d; events are processed meanwhile", partition, done, end))
		if time.Since(last) >= repeatLog {
			last = time.Now()
			w.log.Info().Int32("partition", partition).Int64("offset", done).Int64("end", end).Msg("restoring windows")
		}
	}
}

// restoring notes how much of a partition is restored.
func (w *windowWatch) restoring(partition int32, done, end int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waits := w.restore.left[partition]; waits && end > 0 {
		w.restore.left[partition] = min(float64(done)/float64(end), 1)
		w.restore.err = ""
	}
}

// RestoredOne says what it took to restore a partition.
func (w *Watch) RestoredOne(partition int32, groups, records, bytes int, took time.Duration) {
	w.Metrics.restore.Observe(took.Seconds())
	level := w.log.Debug()
	if records > 1 {
		level = w.log.Info()
	}
	level.Int32("partition", partition).Int("groups", groups).Int("records", records).Int("bytes", bytes).Stringer("took", took.Round(time.Millisecond)).Msg("restored windows")
}

// RestoreFailed says that state could not be read, or cannot be used.
func (w *Watch) RestoreFailed(partition int32, err error) {
	w.windows.mu.Lock()
	w.windows.restore.err = err.Error()
	w.windows.mu.Unlock()
	w.Readiness.Set(ConditionRestored, err.Error())
	if model.ClassOf(err) == model.DataLost {
		w.Readiness.Set(ConditionUnrestorable, err.Error())
	}
	w.log.Error().Int32("partition", partition).Err(err).Msg("cannot restore windows: insights of this partition stand still, events are processed")
}

// Polled says whether partials could be read; if not, that is tried again.
func (w *Watch) Polled(err error) {
	w.windows.mu.Lock()
	before := w.windows.polling
	w.windows.polling = err != nil
	w.windows.mu.Unlock()
	switch {
	case err != nil:
		w.Retrying(mergingPartials, err)
	case before:
		w.Recovered(mergingPartials)
	}
}

// The operations of merging.
const (
	mergingPartials = "merge partials"
	restoring       = "restore windows"
)

// Held says that a record of the partials topic cannot be read, or, with nil, that all could.
func (w *Watch) Held(partition int32, offset int64, err error) {
	w.windows.mu.Lock()
	before, was := w.windows.held[partition]
	now := before
	if err != nil {
		now = held{offset, err.Error()}
		w.windows.held[partition] = now
	} else {
		delete(w.windows.held, partition)
	}
	w.windows.mu.Unlock()
	switch {
	case err != nil && now != before:
		w.log.Error().Int32("partition", partition).Int64("offset", offset).Err(err).
			Msg("insights of this partition wait, nothing is lost: a newer version may have written the record; update this instance")
		w.Metrics.held.Inc()
	case err == nil && was:
		w.log.Info().Int32("partition", partition).Msg("the record can be read, insights go on")
	default:
		return
	}
	w.waiting()
}

// waiting makes the partitions that wait for a record known, as the condition of readiness that it is.
func (w *Watch) waiting() {
	w.windows.mu.Lock()
	var list []string
	for _, partition := range slices.Sorted(maps.Keys(w.windows.held)) {
		h := w.windows.held[partition]
		list = append(list, fmt.Sprintf("partition %d waits at offset %d: %s", partition, h.offset, h.why))
	}
	w.windows.mu.Unlock()
	if len(list) == 0 {
		w.Readiness.Clear(ConditionAggregates)
		return
	}
	w.Readiness.Set(ConditionAggregates, strings.Join(list, "; "))
}

// Windows shows the state of all partitions that are merged here.
func (w *Watch) Windows(parts map[int32]*aggregate.Partition) {
	for number, p := range parts {
		w.Metrics.windows(number, p)
		w.windows.merged(number, p)
		w.counted(number, p)
	}
}

// merged notes how a partition is.
func (w *windowWatch) merged(number int32, p *aggregate.Partition) {
	state := MergeState{Partition: number, Watermark: p.Watermark(), Open: p.Open(), Groups: p.Groups(), Restored: 1}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, has := w.merging[number]; has {
		w.merging[number] = state
	}
}

// counted adds what happened to a partition since it was last looked at.
func (w *Watch) counted(number int32, p *aggregate.Partition) {
	now := p.Counts()
	w.windows.mu.Lock()
	before := w.windows.counts[number]
	w.windows.counts[number] = now
	news := !p.Exact() && !w.windows.inexact
	w.windows.inexact = w.windows.inexact || news
	repeats := w.windows.repeats
	w.windows.mu.Unlock()
	w.Metrics.partials(now, before)
	switch {
	case !news:
	case repeats:
		w.log.Warn().Int32("partition", number).Msg("events were read again after an error or a crash and may have counted twice, as DELIVERY_GUARANTEE=at_least_once allows")
	default:
		w.log.Error().Int32("partition", number).
			Msg("somebody moved the offsets of a source partition back: its events may have counted twice; set another KAFKA_GROUP_ID to start afresh")
	}
}

// DropWindows forgets the state of a partition: another instance has it now, or it has to be restored.
func (w *Watch) DropWindows(number int32) {
	w.windows.mu.Lock()
	delete(w.windows.counts, number)
	delete(w.windows.highlights, number)
	if _, has := w.windows.merging[number]; has {
		w.windows.merging[number] = MergeState{Partition: number, Watermark: aggregate.NoWatermark}
	}
	_, was := w.windows.held[number]
	delete(w.windows.held, number)
	w.windows.mu.Unlock()
	w.Metrics.dropWindows(number)
	if was {
		w.waiting()
	}
}

// Merged says what a merge commit did that is committed now.
func (w *Watch) Merged(summaries map[int32]aggregate.Summary) {
	var anomalies []string
	w.windows.mu.Lock()
	for number, s := range summaries {
		w.Metrics.insights.WithLabelValues("update").Add(float64(s.Updates))
		w.Metrics.insights.WithLabelValues("final").Add(float64(s.Finals))
		w.Metrics.insights.WithLabelValues("anomaly").Add(float64(len(s.Anomalies)))
		w.Metrics.revisions.WithLabelValues("late_partial").Add(float64(s.Revised))
		if len(s.Highlights) > 0 {
			w.windows.highlights[number] = s.Highlights
		}
		anomalies = append(anomalies, s.Anomalies...)
	}
	w.windows.mu.Unlock()
	for _, sentence := range anomalies[:min(len(anomalies), mostAnomalies)] {
		w.log.Info().Str("anomaly", sentence).Msg("anomaly")
	}
	if n := len(anomalies) - mostAnomalies; n > 0 {
		w.log.Info().Int("more", n).Msg("anomalies: the rest is in the insights topic")
	}
}

// mostAnomalies is how many sentences of one commit the log hears.
const mostAnomalies = 20

// Exact is false once somebody moved the offsets of a source partition back.
func (w *Watch) Exact() bool {
	w.windows.mu.Lock()
	defer w.windows.mu.Unlock()
	return !w.windows.inexact
}

// Highlights are what stands out in the latest windows, aggregate by aggregate, the largest first.
func (w *Watch) Highlights() []aggregate.Highlight {
	w.windows.mu.Lock()
	defer w.windows.mu.Unlock()
	latest := map[string]int64{}
	var all []aggregate.Highlight
	for _, some := range w.windows.highlights {
		for _, h := range some {
			latest[h.Aggregate] = max(latest[h.Aggregate], h.Start)
			all = append(all, h)
		}
	}
	all = slices.DeleteFunc(all, func(h aggregate.Highlight) bool { return h.Start < latest[h.Aggregate] })
	slices.SortFunc(all, aggregate.Highlight.Compare)
	return all
}
