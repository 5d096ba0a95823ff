package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/pipelinetest"
)

// testPipelines finds pipeline test files and runs them, without any broker. It fails when a case fails and when there
// was nothing to run.
func testPipelines(ctx context.Context, p Process) error {
	set := newFlags("test")
	if err := p.flags(set, len(p.Args)); err != nil {
		return err
	}
	if set.NArg() == 0 {
		return usageError{errors.New("test: name folders or files, as in `test examples`")}
	}
	var files []string
	for _, arg := range set.Args() {
		found, err := testFiles(p.Dir, arg)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("%s has no test file: their names end in %s", arg, pipelinetest.Suffix)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	var t testRun
	for _, file := range slices.Compact(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.file(p, file)
	}
	return t.end(p)
}

// testFiles are the test files below a folder, or the one file itself.
func testFiles(dir, arg string) ([]string, error) {
	root := within(dir, arg)
	info, err := os.Stat(root)
	if err != nil {
		return nil, &model.Error{Class: model.Misconfigured, Op: "read", Subject: arg, Err: cause(err), Hint: "name a folder or a file that exists"}
	}
	if !info.IsDir() {
		return []string{arg}, nil
	}
	var found []string
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(entry.Name(), pipelinetest.Suffix):
			relative, err := filepath.Rel(root, path)
			found = append(found, filepath.Join(arg, relative))
			return err
		}
		return nil
	})
	return found, err
}

// testRun counts.
type testRun struct {
	files, passed, failed int
	wrong                 []error
}

// file runs one test file and prints a line a case. A file that is wrong does not keep the others from running.
func (t *testRun) file(p Process, name string) {
	t.files++
	outcomes, err := runTests(p.Dir, name)
	if err != nil {
		t.wrong = append(t.wrong, err)
		say(p.Stdout, "WRONG %s\n      %s\n", name, indented(err.Error()))
		return
	}
	for _, o := range outcomes {
		if o.Passed() {
			t.passed++
			say(p.Stdout, "ok    %s  %s\n", o.At, o.Name)
			continue
		}
		t.failed++
		say(p.Stdout, "FAIL  %s  %s\n", o.At, o.Name)
		for _, line := range o.Diff {
			say(p.Stdout, "      %s\n", line)
		}
	}
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n      ") }

func runTests(dir, name string) ([]pipelinetest.Outcome, error) {
	src, err := readAs("read", dir, name, "a test file is one that may be read")
	if err != nil {
		return nil, err
	}
	file, err := pipelinetest.Parse(name, src)
	if err != nil {
		return nil, err
	}
	pipeline := file.Pipeline
	if !filepath.IsAbs(pipeline) {
		pipeline = filepath.Join(filepath.Dir(name), pipeline)
	}
	src, err = readAs(file.PipelineAt()+": read pipeline file", dir, pipeline, "pipeline is a path relative to the test file")
	if err != nil {
		return nil, err
	}
	return file.Run(pipeline, src)
}

// readAs is readFile with another message.
func readAs(op, dir, name, hint string) ([]byte, error) {
	src, err := readFile(dir, name)
	if e, ok := errors.AsType[*model.Error](err); ok {
		return nil, &model.Error{Class: e.Class, Op: op, Subject: name, Err: e.Err, Hint: hint}
	}
	return src, err
}

// end says how it went, and makes that the exit code.
func (t *testRun) end(p Process) error {
	summary := fmt.Sprintf("%s in %s: %d passed, %d failed", count(t.passed+t.failed, "case"), count(t.files, "file"), t.passed, t.failed)
	if len(t.wrong) > 0 {
		return &model.Error{Class: model.Misconfigured, Op: summary, Err: fmt.Errorf("%s wrong, see above", verb(len(t.wrong), "file"))}
	}
	if t.failed > 0 {
		return errors.New(summary)
	}
	say(p.Stdout, "%s\n", summary)
	return nil
}

func verb(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}
