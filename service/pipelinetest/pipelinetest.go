// Package pipelinetest reads and runs the test files of pipelines: events that go in, and the records, dead letters and
// filtered events that are to come of them. A run is what the engine would do, at a time and with an environment that
// the file gives, so that it comes out the same everywhere.
//
// The package never does I/O: whoever uses it reads the files.
package pipelinetest

import (
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// HashKey is the key of hash() in a test file that gives none. Everybody knows it: it is for tests alone.
const HashKey = "0123456789abcdef"

// Suffix is how the names of test files end.
const Suffix = "_test.yaml"

// File is a test file.
type File struct {
	Name     string // what messages call it
	Pipeline string // the path of the pipeline file, relative to this one

	now         time.Time
	environment map[string]variable
	hashKey     string
	partitions  map[string]counted
	everywhere  int32 // partitions of the topics that partitions does not name
	cases       []testCase
	doc         *service.Document
	pipelineAt  model.Place
}

// variable is what the pipeline finds in its environment.
type variable struct {
	at    model.Place
	value string
}

// counted is the partition count of a topic.
type counted struct {
	at    model.Place
	count int32
}

// testCase is some events, run as one batch, and what is to become of them. Its windows begin empty, and all of them
// close.
type testCase struct {
	name       string
	at         model.Place
	exact      bool
	input      []model.Message
	output     []expected
	anyOutput  bool // outputs are not compared
	letters    []expected
	filtered   *int
	insights   []insight
	insightsAt *model.Place // nil: insights are not compared
	aggregates []named      // whose insights are; none: of all
}

// expected is a record that is to come. What is not given is not compared.
type expected struct {
	at        model.Place
	topic     string // "": the only output
	key       *text
	value     *text
	partition *int32
	headers   []header
	// of dead letters
	stage, code, reason *string
}

// text is bytes or Kafka's null.
type text struct{ bytes []byte }

// insight is an insight that is to come. What is not given is not compared.
type insight struct {
	at         model.Place
	aggregate  string // "": the only one
	kind       string // "": that of the aggregate's windows
	start, end *time.Time
	group      []named
	measures   []named
	final      bool // false: as it was when the input ended
	sentence   *string
}

// named is a name with a value, JSON.
type named struct {
	name  string
	at    model.Place
	value []byte
}

// header is a header that is to be there, or not.
type header struct {
	name  string
	value *string // nil: it must not be there
}

// firstMoment is now() in a test file that gives no time.
func firstMoment() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// PipelineAt is where the test file names its pipeline.
func (f *File) PipelineAt() string { return f.Name + ":" + f.pipelineAt.String() }

// Cases is how many cases the file has.
func (f *File) Cases() int { return len(f.cases) }
