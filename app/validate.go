package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/utils"
)

// validate checks a pipeline file to the last expression, without any broker.
func validate(_ context.Context, p Process) error {
	set := newFlags("validate")
	if err := p.flags(set, 1); err != nil {
		return err
	}
	lookup, err := utils.Environment(p.Dir, p.Environ)
	if err != nil {
		return err
	}
	file := set.Arg(0)
	if file == "" {
		file = utils.Default("PIPELINE_FILE")
		if v, ok := lookup("PIPELINE_FILE"); ok {
			file = v
		}
	}
	spec, err := readPipeline(p.Dir, file, lookup)
	if err != nil {
		return err
	}
	// Any key will do to see whether the pipeline compiles; whether there is a real one is the business of run.
	processor, err := service.NewProcessor(spec, service.Options{HashKey: strings.Repeat("x", 32)})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is right: pipeline %s reads %s, writes %s\n", file, spec.Name, spec.Source.Topic, strings.Join(processor.Topics(), ", "))
	return err
}

// readPipeline reads and parses a pipeline file; a relative path starts from dir.
func readPipeline(dir, file string, lookup func(string) (string, bool)) (*model.Pipeline, error) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, &model.Error{Class: model.Misconfigured, Op: "read pipeline file", Subject: file, Err: cause(err), Hint: "set PIPELINE_FILE to a pipeline file"}
	}
	return service.ParsePipeline(file, source, lookup)
}
