package handler

import (
	"cmp"
	"slices"
	"time"

	"data-stream-engine/model"
)

// surveyEvery is how often a run says how far its partitions are.
const surveyEvery = time.Second

// survey is what a run counts for those who watch: per partition and batch, never per event.
type survey struct {
	told   time.Time
	events map[model.TopicPartition]int64     // since the assignment
	heard  map[model.TopicPartition]time.Time // when the last ones came, or reading began
}

func newSurvey() survey {
	return survey{events: map[model.TopicPartition]int64{}, heard: map[model.TopicPartition]time.Time{}}
}

// read counts events of a partition.
func (s *survey) read(tp model.TopicPartition, n int, now time.Time) {
	if n > 0 {
		s.events[tp] += int64(n)
		s.heard[tp] = now
	}
}

// survey tells how far the partitions of the source are.
func (r *run) survey(now time.Time) {
	if now.Sub(r.surveyed.told) < surveyEvery {
		return
	}
	r.surveyed.told = now
	list := make([]SourceState, 0, len(r.positions))
	for tp, position := range r.positions {
		if tp.Topic == r.processor.ReplayTopic() {
			continue
		}
		list = append(list, r.state(tp, position.Offset, now))
	}
	slices.SortFunc(list, func(a, b SourceState) int { return cmp.Compare(a.Partition, b.Partition) })
	r.watch.seen.survey(now, list)
}

func (r *run) state(tp model.TopicPartition, position int64, now time.Time) SourceState {
	s := SourceState{Partition: tp.Partition, Position: position, End: -1, Events: r.surveyed.events[tp], Watermark: model.NoWatermark}
	heard, known := r.surveyed.heard[tp]
	if !known {
		heard = now
		r.surveyed.heard[tp] = now
	}
	if _, end, answered, ok := r.stream.Reached(tp); ok && now.Sub(answered) < recent {
		s.End = max(end, position)
	}
	idle := s.End == position && now.Sub(heard) >= r.cfg.IdleTimeout
	if source := r.source(tp); source != nil {
		s.Watermark, idle = source.Watermark, source.Idle
	}
	if idle {
		s.IdleSince = heard
	}
	return s
}

// standing is how far partitions are while nothing is read.
func standing(partitions []model.TopicPartition, at map[model.TopicPartition]model.Position, ends map[model.TopicPartition]int64) []SourceState {
	list := make([]SourceState, 0, len(partitions))
	for _, tp := range partitions {
		s := SourceState{Partition: tp.Partition, Position: at[tp].Offset, End: -1, Watermark: at[tp].Note.Watermark}
		if end, known := ends[tp]; known {
			s.End = max(end, s.Position)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b SourceState) int { return cmp.Compare(a.Partition, b.Partition) })
	return list
}
