package model

import "slices"

// Tally is how many events of one batch went which way through the pipeline, beside the fates in its Result.
type Tally struct {
	Unrouted   int         // events that passed the filter and met no output's condition
	Outputs    []Count     // records, by output topic
	Aggregates []Count     // events that counted, by aggregate
	Letters    []DeadCount // dead letters; those of late events too, though these were forwarded
}

// Count is how many there are of something with a name.
type Count struct {
	Name string
	N    int
}

// DeadCount is how many dead letters there are of a kind.
type DeadCount struct {
	DeadLetterKind
	N int
}

// Add sums another batch up.
func (t *Tally) Add(o Tally) {
	t.Unrouted += o.Unrouted
	for _, c := range o.Outputs {
		t.Outputs = counted(t.Outputs, c.Name, c.N)
	}
	for _, c := range o.Aggregates {
		t.Aggregates = counted(t.Aggregates, c.Name, c.N)
	}
	for _, c := range o.Letters {
		t.Letter(c.DeadLetterKind, c.N)
	}
}

// Output counts records of an output topic.
func (t *Tally) Output(topic string, n int) { t.Outputs = counted(t.Outputs, topic, n) }

// Aggregate counts events of an aggregate.
func (t *Tally) Aggregate(name string, n int) { t.Aggregates = counted(t.Aggregates, name, n) }

// Letter counts dead letters of a kind. There are few kinds: codes are fixed words.
func (t *Tally) Letter(kind DeadLetterKind, n int) {
	for i := range t.Letters {
		if t.Letters[i].DeadLetterKind == kind {
			t.Letters[i].N += n
			return
		}
	}
	t.Letters = append(t.Letters, DeadCount{kind, n})
}

// Dead is how many dead letters are of the given stages.
func (t *Tally) Dead(stages ...Stage) (n int) {
	for _, c := range t.Letters {
		if slices.Contains(stages, c.Stage) {
			n += c.N
		}
	}
	return n
}

// Clone is a copy that shares nothing.
func (t *Tally) Clone() Tally {
	return Tally{t.Unrouted, slices.Clone(t.Outputs), slices.Clone(t.Aggregates), slices.Clone(t.Letters)}
}

func counted(list []Count, name string, n int) []Count {
	for i := range list {
		if list[i].Name == name {
			list[i].N += n
			return list
		}
	}
	return append(list, Count{name, n})
}
