package pipelinetest

import (
	"strconv"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/service/expression"
)

// Parse reads a test file. name is what messages call it. The error is a *model.Error of class Misconfigured around
// service.Problems: everything that is wrong, each with its line and column.
func Parse(name string, src []byte) (*File, error) {
	doc, ok := service.ReadDocument(name, src)
	if !ok {
		return nil, doc.Err()
	}
	r := reader{doc: doc, file: &File{Name: name, now: firstMoment(), hashKey: HashKey, environment: map[string]variable{}, partitions: map[string]counted{}, everywhere: 1, doc: doc}}
	r.top(doc.Root)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return r.file, nil
}

type reader struct {
	doc  *service.Document
	file *File
}

// key is a key of a mapping, and what reads its value.
type key struct {
	name     string
	required bool
	null     bool // null is a value
	read     func(service.Node)
}

func (r *reader) top(n service.Node) {
	f := r.file
	r.mapping(n, "a pipeline test file", []key{
		{name: "pipeline", required: true, read: func(n service.Node) { f.Pipeline, f.pipelineAt = r.text(n, "pipeline"), n.At() }},
		{name: "now", read: func(n service.Node) { f.now = r.time(n, "now") }},
		{name: "environment", read: r.environment},
		{name: "hash_key", read: func(n service.Node) { f.hashKey = r.text(n, "hash_key") }},
		{name: "partitions", read: r.partitions},
		{name: "cases", required: true, read: r.cases},
	})
}

func (r *reader) environment(n service.Node) {
	for _, e := range r.entries(n, "environment", "NAME: value a line") {
		if value, ok := r.scalar(e.Value, "the value of "+e.Key); ok {
			r.file.environment[e.Key] = variable{at: e.At, value: value}
		}
	}
}

func (r *reader) partitions(n service.Node) {
	if n.IsNumber() {
		r.file.everywhere = int32(r.number(n, "partitions", 1, 100_000))
		return
	}
	for _, e := range r.entries(n, "partitions", "a number for all topics, or topic: number a line") {
		r.file.partitions[e.Key] = counted{at: e.At, count: int32(r.number(e.Value, "partitions", 1, 100_000))}
	}
}

func (r *reader) cases(n service.Node) {
	names := map[string]model.Place{}
	for _, item := range r.items(n, "cases", "a list: - name: ...") {
		c := testCase{at: item.At()}
		var input, output, letters, insights service.Entry
		keep := func(e *service.Entry) func(service.Node) {
			return func(n service.Node) { *e = service.Entry{Value: n, Key: "given"} }
		}
		r.mapping(item, "a case", []key{
			{name: "name", required: true, read: func(n service.Node) { c.name = r.text(n, "name") }},
			{name: "exact", read: func(n service.Node) { c.exact = r.bool(n, "exact") }},
			{name: "input", required: true, read: keep(&input)},
			{name: "output", read: keep(&output)},
			{name: "dead_letters", read: keep(&letters)},
			{name: "insights", read: keep(&insights)},
			{name: "aggregates", read: func(n service.Node) { c.aggregates = r.aggregates(n) }},
			{name: "filtered", read: func(n service.Node) {
				count := r.number(n, "filtered", 0, 1<<31)
				c.filtered = new(int(count))
			}},
		})
		if first, twice := names[c.name]; twice && c.name != "" {
			r.doc.Problem(c.at, "another case has this name already, in line %d", first.Line)
		}
		names[c.name] = c.at
		if input.Key != "" {
			r.inputs(&c, input.Value)
		}
		if output.Key != "" {
			c.output = r.records(&c, output.Value, "output", r.output)
		}
		if letters.Key != "" {
			c.letters = r.records(&c, letters.Value, "dead_letters", r.letter)
		}
		if insights.Key != "" {
			c.insightsAt = new(insights.Value.At())
			c.insights = r.insights(insights.Value)
			c.anyOutput = output.Key == "" // a case about windows need not repeat what others say
		}
		r.file.cases = append(r.file.cases, c)
	}
	if len(r.file.cases) == 0 && !n.IsBroken() {
		r.doc.Problem(n.At(), "cases is empty; a test file has at least one")
	}
}

// inputs reads the events of a case. What an item does not say is as if it were the next record of partition 0.
func (r *reader) inputs(c *testCase, n service.Node) {
	next := map[int32]int64{}
	for _, item := range r.items(n, "input", "a list: - value: ...") {
		m := model.Message{Timestamp: r.file.now.UnixMilli()}
		offset := int64(-1)
		if item.IsText() {
			m.Value = []byte(item.Text())
		} else {
			r.mapping(item, "an input", []key{
				{name: "value", required: true, null: true, read: func(n service.Node) { m.Value = r.value(n, false) }},
				{name: "key", null: true, read: func(n service.Node) { m.Key = r.bytes(n, "key") }},
				{name: "headers", read: func(n service.Node) { m.Headers = r.headers(n) }},
				{name: "timestamp", read: func(n service.Node) { m.Timestamp = r.timestamp(n) }},
				{name: "partition", read: func(n service.Node) { m.Partition = int32(r.number(n, "partition", 0, 100_000)) }},
				{name: "offset", read: func(n service.Node) { offset = r.number(n, "offset", 0, 1<<62) }},
			})
		}
		if offset < 0 {
			offset = next[m.Partition]
		}
		m.Offset, next[m.Partition] = offset, offset+1
		c.input = append(c.input, m)
	}
	if len(c.input) == 0 && !n.IsBroken() {
		r.doc.Problem(n.At(), "input is empty; a case has at least one event")
	}
}

func (r *reader) headers(n service.Node) []model.Header {
	var list []model.Header
	for _, e := range r.entries(n, "headers", "name: value a line") {
		list = append(list, model.Header{Key: []byte(e.Key), Value: r.bytes(e.Value, "a header")})
	}
	return list
}

func (r *reader) records(c *testCase, n service.Node, what string, keys func(c *testCase, e *expected) []key) []expected {
	var list []expected
	for _, item := range r.items(n, what, "a list") {
		e := expected{at: item.At()}
		all := keys(c, &e)
		r.mapping(item, "an item of "+what, all)
		if item.IsMapping() && len(item.Entries()) == 0 {
			r.doc.Problem(item.At(), "an item of %s says at least one of %s", what, strings.Join(names(all), ", "))
		}
		list = append(list, e)
	}
	return list
}

func (r *reader) output(c *testCase, e *expected) []key {
	return []key{
		{name: "topic", read: func(n service.Node) { e.topic = r.text(n, "topic") }},
		{name: "key", null: true, read: func(n service.Node) { e.key = &text{r.bytes(n, "key")} }},
		{name: "value", null: true, read: func(n service.Node) { e.value = &text{r.value(n, c.exact)} }},
		{name: "partition", read: func(n service.Node) { e.partition = new(int32(r.number(n, "partition", 0, 100_000))) }},
		{name: "headers", read: func(n service.Node) {
			for _, h := range r.entries(n, "headers", "name: value a line") {
				var value *string
				if b := r.bytes(h.Value, "a header"); b != nil {
					value = new(string(b))
				}
				e.headers = append(e.headers, header{name: h.Key, value: value})
			}
		}},
	}
}

func (r *reader) letter(c *testCase, e *expected) []key {
	return []key{
		{name: "stage", read: func(n service.Node) { e.stage = new(r.text(n, "stage")) }},
		{name: "code", read: func(n service.Node) { e.code = new(r.text(n, "code")) }},
		{name: "reason", read: func(n service.Node) { e.reason = new(r.text(n, "reason")) }},
		{name: "value", null: true, read: func(n service.Node) { e.value = &text{r.value(n, c.exact)} }},
	}
}

func (r *reader) time(n service.Node, what string) time.Time {
	at, err := time.Parse(time.RFC3339, r.text(n, what))
	if err != nil && n.IsText() {
		r.doc.Problem(n.At(), "%s is a time such as 2026-01-02T15:04:05Z, not %s", what, n.Text())
	}
	return at
}

func (r *reader) timestamp(n service.Node) int64 {
	if n.IsNumber() {
		return r.number(n, "timestamp", 0, 1<<62)
	}
	return r.time(n, "timestamp").UnixMilli()
}

func (r *reader) number(n service.Node, what string, least, most int64) int64 {
	i, err := strconv.ParseInt(n.Text(), 10, 64)
	if n.IsBroken() {
		return least
	}
	if !n.IsNumber() || err != nil || i < least || i > most {
		r.doc.Problem(n.At(), "%s is a whole number from %d to %d", what, least, most)
		return least
	}
	return i
}

func nearest(written string, keys []string) string {
	if near := expression.Nearest(written, keys); near != "" {
		return ", did you mean " + near + "?"
	}
	return ""
}
