package app

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// readPipeline reads and parses a pipeline file; a relative path starts from dir.
func readPipeline(dir, file string, lookup func(string) (string, bool)) (*model.Pipeline, error) {
	src, err := readFile(dir, file)
	if err != nil {
		return nil, err
	}
	return service.ParsePipeline(file, src, lookup)
}

// readFile reads a pipeline file, and of one that is too large no more than it takes to see that.
func readFile(dir, file string) ([]byte, error) {
	f, err := os.Open(within(dir, file))
	if err != nil {
		return nil, unreadable(file, err)
	}
	src, err := io.ReadAll(io.LimitReader(f, service.MaxPipelineBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, unreadable(file, err)
	}
	return src, nil
}

func unreadable(file string, err error) error {
	return &model.Error{Class: model.Misconfigured, Op: "read pipeline file", Subject: file, Err: cause(err), Hint: "name a file that exists and may be read, as the argument or as PIPELINE_FILE"}
}

// path checks a file, or all pipelines of a folder. One that is named twice is checked once.
func (v *validation) path(path string) {
	if info, err := os.Stat(within(v.dir, path)); err == nil && info.IsDir() {
		v.folder(path)
		return
	}
	src, err := readFile(v.dir, path)
	if err != nil {
		v.add(validated{File: path}, err)
		return
	}
	v.once(path, src)
}

func (v *validation) once(path string, src []byte) {
	if slices.ContainsFunc(v.files, func(f validated) bool { return filepath.Clean(f.File) == filepath.Clean(path) }) {
		return
	}
	v.check(path, src)
}

// folder checks every pipeline file below a folder. What is below folders whose name begins with a dot is not meant.
func (v *validation) folder(folder string) {
	found := 0
	root := within(v.dir, folder)
	_ = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error { // every error is noted
		path := folder
		if relative, err := filepath.Rel(root, name); err == nil {
			path = filepath.Join(folder, relative)
		}
		switch {
		case err != nil:
			found++
			v.add(validated{File: path}, &model.Error{Class: model.Misconfigured, Op: "look for pipeline files in", Subject: path, Err: cause(err), Hint: "give the reader permission, or leave it out"})
			return nil
		case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || !yamlName(entry.Name()):
			return nil
		}
		src, err := readFile(v.dir, path)
		switch {
		case err != nil:
			found++
			v.add(validated{File: path}, err)
		case testName(entry.Name()) || !looksLikePipeline(src):
			v.others++
		default:
			found++
			v.once(path, src)
		}
		return nil
	})
	if found == 0 {
		v.add(validated{File: folder}, &model.Error{Class: model.Misconfigured, Op: "look for pipeline files in", Subject: folder, Err: errors.New("there is none"),
			Hint: "a pipeline file ends in .yaml or .yml and has source: or output: at the beginning of a line"})
	}
}

func yamlName(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func testName(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".yaml"), ".yml"), "_test")
}

// looksLikePipeline tells a pipeline, a broken one too, from the other YAML that lies about: one of its sections begins
// a line.
func looksLikePipeline(src []byte) bool {
	return regexp.MustCompile(`(?m)^(\x{feff})?(source|sources|filter|transform|output|outputs|aggregates)[ \t]*:`).Match(src)
}
