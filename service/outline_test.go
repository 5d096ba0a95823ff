package service

import (
	"slices"
	"testing"
)

func TestOutline(t *testing.T) {
	o := OutlineOf([]byte(`# a comment
name: p

source:
  topic: in   # here
  event_time: at

# of the filter
filter: >
  a > 1
  && b > 2
# of the output

output:
  - topic: a
    key: x

  # of b
  - topic: b
aggregates: [{name: c, window: {tumbling: 1m}, measures: {n: count()}}, {name: d, window: {tumbling: 1m}, measures: {n: count()}}]
`))
	if o.Source != (LineRange{4, 6}) || o.Filter != (LineRange{9, 11}) || o.Transform != (LineRange{}) {
		t.Errorf("%+v", o)
	}
	if !slices.Equal(o.Outputs, []LineRange{{15, 16}, {19, 19}}) || !slices.Equal(o.Aggregates, []LineRange{{20, 20}, {20, 20}}) {
		t.Errorf("%+v", o)
	}
}

func TestOutlineOfWhatIsNoPipeline(t *testing.T) {
	for _, text := range []string{"", "a", "- 1", "source", "source:", "output: 5", "aggregates:\n-\n-", "\xff", "output: [", "a: 1\nb: 2"} {
		OutlineOf([]byte(text)) // it says nothing, and does not panic
	}
}
