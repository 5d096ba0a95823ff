package app

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// loaded is a pipeline file that was read and compiled. It never changes: a reload makes another one.
type loaded struct {
	spec      *model.Pipeline
	processor *service.Processor
	text      string // of the file, its variables not filled in
	hash      string // of the text
	at        time.Time
}

// Loaded is the pipeline in use, the text of its file, and when it was loaded. A reload replaces it, so that whoever needs
// it asks each time. The processor is shared: each goroutine takes a Clone.
func (a *App) Loaded() (spec *model.Pipeline, processor *service.Processor, text string, at time.Time) {
	l := a.current.Load()
	return l.spec, l.processor, l.text, l.at
}

// spec is the pipeline in use.
func (a *App) spec() *model.Pipeline { return a.current.Load().spec }

// processor runs the pipeline in use. Each goroutine takes a Clone.
func (a *App) processor() *service.Processor { return a.current.Load().processor }

// load reads and compiles the pipeline file. The group's id is the pipeline's name when the settings have none.
func (a *App) load() (*loaded, error) {
	src, err := readFile(a.dir, a.settings.Engine.PipelineFile)
	if err != nil {
		return nil, err
	}
	return a.compile(src)
}

func (a *App) compile(src []byte) (*loaded, error) {
	spec, err := service.ParsePipeline(a.settings.Engine.PipelineFile, src, a.settings.Lookup)
	if err != nil {
		return nil, err
	}
	key, err := hashKey(a.settings, a.dataDir)
	if err != nil {
		return nil, err
	}
	group := a.settings.Kafka.GroupID
	if group == "" {
		group = spec.Name
	}
	processor, err := service.NewProcessor(spec, service.Options{Group: group, HashKey: key.Reveal()})
	if err != nil {
		return nil, err
	}
	return &loaded{spec: spec, processor: processor, text: string(src), hash: hashOf(src), at: time.Now().UTC().Truncate(time.Millisecond)}, nil
}

// hashOf tells one content of the pipeline file from another: the first 12 hexadecimal digits of its SHA-256.
func hashOf(src []byte) string {
	sum := sha256.Sum256(src)
	return hex.EncodeToString(sum[:6])
}
