package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/service/pipelinetest"
	"data-stream-engine/utils"
)

// try runs a pipeline on the lines of its standard input and shows what every stage makes of each, without any broker.
func try(ctx context.Context, p Process) error {
	set := newFlags("try")
	asJSON := set.Bool("json", false, "one JSON document a line, for programs")
	strict := set.Bool("strict", false, "exit code 1 when a line ends as a dead letter")
	partitions := set.Int("partitions", 1, "partitions of the topics that are written to")
	p.Args = flagsFirst(p.Args, "partitions")
	if err := p.flags(set, 1); err != nil {
		return err
	}
	if *partitions < 1 {
		return usageError{errors.New("try: --partitions is at least 1")}
	}
	t, err := p.trial(set.Arg(0), int32(*partitions))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.Stdout)
	t.show = func(line int, input []byte, e *service.Explanation) {
		explainText(out, fmt.Sprintf("line %d", line), input, e)
	}
	list := insightsText
	if *asJSON {
		t.show = func(line int, input []byte, e *service.Explanation) { explainJSON(out, line, input, e) }
		list = insightsJSON
	}
	err = t.lines(ctx, p.input(), out)
	insights, endErr := t.simulation.End()
	list(out, t.spec, insights.Final)
	if err == nil {
		err = endErr
	}
	if !*asJSON {
		say(out, "%s\n", t.summary())
	}
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if err == nil && *strict && t.result.DeadLetters > 0 {
		err = fmt.Errorf("%s (--strict)", t.summary())
	}
	return err
}

// trial is one run of try.
type trial struct {
	spec       *model.Pipeline
	explain    *service.Explainer
	simulation *service.Simulation // for aggregates, which see all lines
	maxBytes   int
	show       func(line int, input []byte, e *service.Explanation)
	result     model.Result
}

// trial reads the pipeline with the settings that it would run with.
func (p Process) trial(file string, partitions int32) (*trial, error) {
	s, err := p.settingsWithoutBroker()
	if err != nil {
		return nil, err
	}
	if file == "" {
		file = s.Engine.PipelineFile
	}
	spec, err := readPipeline(p.Dir, file, s.Lookup)
	if err != nil {
		return nil, err
	}
	options := service.Options{Group: s.Kafka.GroupID, HashKey: string(s.Engine.HashKey)}
	processor, err := service.NewProcessor(spec, options)
	if err != nil && options.HashKey == "" {
		options.HashKey = pipelinetest.HashKey
		if processor, err = service.NewProcessor(spec, options); err == nil {
			say(p.Stderr, "HASH_KEY is not set: hash() takes the key of the test files here, so hashes differ from the engine's\n")
		}
	}
	if err != nil {
		return nil, err
	}
	one := func(string) int32 { return partitions }
	return &trial{spec: spec, explain: service.NewExplainer(processor, one), simulation: service.NewSimulation(processor, one), maxBytes: int(s.Engine.MaxBatchBytes)}, nil
}

// input is where events come from. Whoever sits before a terminal is told that they are waited for.
func (p Process) input() io.Reader {
	if p.Stdin != nil {
		return p.Stdin
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		say(p.Stderr, "Type or paste events, one JSON object a line; Ctrl-D ends the input.\n")
	}
	return os.Stdin
}

// lines explains each line as it comes; out is flushed behind each, so that a person who types sees it. A line that is
// longer than a record can be ends the run.
func (t *trial) lines(ctx context.Context, in io.Reader, out *bufio.Writer) error {
	type next struct {
		line int
		text []byte
		err  error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	source := make(chan next)
	go func() { // a read from a terminal does not end with the context, so nobody waits for it
		defer close(source)
		send := func(n next) {
			select {
			case source <- n:
			case <-ctx.Done():
			}
		}
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, t.maxBytes+1) // one more for the line's end
		line := 0
		for ctx.Err() == nil && scanner.Scan() {
			line++
			if text := bytes.TrimSpace(scanner.Bytes()); len(text) > 0 {
				send(next{line: line, text: bytes.Clone(scanner.Bytes())})
			}
		}
		if err := scanner.Err(); err != nil {
			send(next{line: line + 1, err: err})
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case n, ok := <-source:
			switch {
			case !ok:
				return nil
			case errors.Is(n.err, bufio.ErrTooLong):
				return fmt.Errorf("line %d is longer than %s (MAX_BATCH_BYTES), more than a record can be", n.line, utils.Size(t.maxBytes))
			case n.err != nil:
				return fmt.Errorf("read line %d: %w", n.line, n.err)
			}
			t.one(n.line, n.text)
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// one explains one line, as if it were the next record of partition 0 of the source.
func (t *trial) one(line int, text []byte) {
	now := time.Now()
	m := model.Message{Topic: t.spec.Source.Topic, Offset: int64(t.result.Consumed), Timestamp: now.UnixMilli(), Value: text}
	t.explain.From(t.simulation.Source(m.Partition)) // as it was before this line
	e := t.explain.Explain(&m, now)
	_, result := t.simulation.Process([]model.Message{m}, now)
	t.result.Add(result)
	t.show(line, text, &e)
}

func (t *trial) summary() string {
	r := t.result
	forwarded := fmt.Sprintf("%d forwarded", r.Forwarded)
	if r.Outputs != r.Forwarded {
		forwarded += " as " + count(r.Outputs, "record")
	}
	late := ""
	if r.Late > 0 {
		late = fmt.Sprintf(", %d late", r.Late)
	}
	return fmt.Sprintf("%s: %s, %d filtered, %s%s", count(r.Consumed, "event"), forwarded, r.Filtered, count(r.DeadLetters, "dead letter"), late)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// explainJSON writes an explanation as one line.
func explainJSON(w io.Writer, line int, input []byte, e *service.Explanation) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Line  int    `json:"line"`
		Input string `json:"input"`
		*service.Explanation
	}{line, string(input), e})
	if err != nil {
		say(w, "{\"line\":%d,\"error\":%q}\n", line, err.Error())
	}
}
