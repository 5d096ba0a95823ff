package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/utils"
)

// validate checks pipeline files to the last expression, without any broker, and says what each of them does and needs.
// Everything that is wrong with any of them is reported at once.
func validate(_ context.Context, p Process) error {
	set := newFlags("validate")
	asJSON := set.Bool("json", false, "one JSON document, for programs")
	p.Args = flagsFirst(p.Args)
	if err := p.flags(set, math.MaxInt); err != nil {
		return err
	}
	settings, err := p.settingsWithoutBroker()
	if err != nil {
		return err
	}
	paths := set.Args()
	if len(paths) == 0 {
		paths = []string{settings.Engine.PipelineFile}
	}
	v := validation{dir: p.Dir, settings: settings}
	for _, path := range paths {
		v.path(path)
	}
	if *asJSON {
		return v.json(p.Stdout)
	}
	return v.text(p.Stdout)
}

// settingsWithoutBroker are the settings of a command that asks no broker, so that KAFKA_BOOTSTRAP_SERVERS may be absent.
func (p Process) settingsWithoutBroker() (*utils.Settings, error) {
	lookup, err := utils.Environment(p.Dir, p.Environ)
	if err != nil {
		return nil, err
	}
	if _, given := lookup("KAFKA_BOOTSTRAP_SERVERS"); given {
		return utils.Load(p.Dir, p.Environ)
	}
	return utils.Load(p.Dir, append(slices.Clone(p.Environ), "KAFKA_BOOTSTRAP_SERVERS=localhost:9092"))
}

// validation is one call of validate.
type validation struct {
	dir      string
	settings *utils.Settings
	files    []validated
	others   int // YAML files in folders that are no pipelines
}

// validated is what is known of one file: what its pipeline does, or what is wrong with it.
type validated struct {
	File        string               `json:"file"`
	Valid       bool                 `json:"valid"`
	Problems    []problem            `json:"problems,omitempty"`
	More        int                  `json:"more_problems,omitempty"` // than those listed
	Pipeline    *service.Description `json:"pipeline,omitempty"`
	Group       string               `json:"group,omitempty"`
	DeadLetters string               `json:"dead_letters,omitempty"`
	Derived     *derived             `json:"aggregate_topics,omitempty"`
	HashKey     string               `json:"hash_key,omitempty"`
	Memory      *estimate            `json:"memory,omitempty"`

	err error
}

// derived are the topics of a group's aggregates.
type derived struct {
	Partials  string `json:"partials"`
	Changelog string `json:"changelog"`
	Insights  string `json:"insights"`
}

// problem is one problem for programs; without a place it is one of the file as a whole.
type problem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// check validates one file.
func (v *validation) check(file string, src []byte) {
	out := validated{File: file}
	spec, description, err := service.DescribePipeline(file, src, v.settings.Lookup)
	if err == nil {
		out.Group = v.settings.Kafka.GroupID
		if out.Group == "" {
			out.Group = spec.Name
		}
		// Any key will do to see whether the pipeline compiles; whether there is a real one is the business of run.
		var processor *service.Processor
		processor, err = service.NewProcessor(spec, service.Options{Group: out.Group, HashKey: strings.Repeat("x", 32)})
		if err == nil {
			out.Valid, out.Pipeline, out.DeadLetters = true, description, processor.Topics()[model.DeadLetters]
			topics := len(processor.Topics())
			if d, has := processor.Derived(); has {
				out.Derived = &derived{Partials: d.Partials, Changelog: d.Changelog, Insights: d.Insights}
				topics += len(d.List())
			}
			out.HashKey = v.hashKey(description)
			out.Memory = estimateMemory(v.settings, topics)
		}
	}
	v.add(out, err)
}

// hashKey says whether the pipeline can run with the HASH_KEY that there is.
func (v *validation) hashKey(d *service.Description) string {
	switch {
	case len(d.HashKeyFor) == 0:
		return "not needed"
	case v.settings.Engine.HashKey != "":
		return "set"
	case v.settings.Kafka.IsEmbedded():
		return "made by the embedded mode"
	}
	return "missing"
}

// add notes a file and what is wrong with it.
func (v *validation) add(out validated, err error) {
	out.err = err
	var problems service.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems[:min(len(problems), service.MaxShown)] {
			out.Problems = append(out.Problems, problem{p.At.Line, p.At.Column, p.Message})
		}
		out.More = len(problems) - len(out.Problems)
	case err != nil:
		out.Problems = []problem{{Message: err.Error()}}
	}
	v.files = append(v.files, out)
}

// wrong counts the files that are.
func (v *validation) wrong() int {
	n := 0
	for _, f := range v.files {
		if f.err != nil {
			n++
		}
	}
	return n
}

// summary is one line on all of it.
func (v *validation) summary() string {
	text := fmt.Sprintf("%d pipeline files checked, %d with problems", len(v.files), v.wrong())
	if len(v.files) == 1 {
		text = fmt.Sprintf("1 pipeline file checked, %d with problems", v.wrong())
	}
	if v.others > 0 {
		text += fmt.Sprintf("; %d other YAML files left out (no pipelines, or *_test.yaml)", v.others)
	}
	return text
}

// json writes everything as one document. The error is for the exit code, and a line for a person.
func (v *validation) json(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(map[string]any{"valid": v.wrong() == 0, "checked": len(v.files), "left_out": v.others, "files": v.files})
	if err == nil && v.wrong() > 0 {
		err = misconfiguredBecause(v.summary())
	}
	return err
}

// text writes what is right to w, and returns what is wrong.
func (v *validation) text(w io.Writer) error {
	var problems []string
	for _, f := range v.files {
		if f.err != nil {
			problems = append(problems, f.err.Error())
			continue
		}
		if err := f.text(w); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return misconfiguredBecause(strings.Join(append(problems, v.summary()), "\n"))
	}
	_, err := fmt.Fprintln(w, v.summary())
	return err
}

func misconfiguredBecause(text string) error {
	return &model.Error{Class: model.Misconfigured, Err: errors.New(text)}
}
