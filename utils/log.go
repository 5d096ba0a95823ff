package utils

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// NewLog writes lines for a person to a terminal, JSON otherwise, unless format ("auto", "console", "json") says it.
// Times are UTC with milliseconds in JSON, local in the console. level is a name that Load has checked.
func NewLog(w io.Writer, level, format string) zerolog.Logger {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		parsed = zerolog.InfoLevel
	}
	terminal := IsTerminal(w)
	if format == "console" || format != "json" && terminal {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !terminal || os.Getenv("NO_COLOR") != "", TimeFormat: "15:04:05.000",
			FieldsOrder: []string{"in", "out", "filtered", "dead", "lag", "per_second", zerolog.ErrorFieldName}}
	}
	return zerolog.New(w).Level(parsed).Hook(clock{})
}

// IsTerminal tells whether a person sees what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// clock stamps each line. zerolog's own Timestamp has whole seconds unless a variable of that package is changed.
type clock struct{}

func (clock) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
}
