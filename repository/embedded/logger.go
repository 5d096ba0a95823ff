package embedded

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
)

// repeatLog is the least time between two lines about writes that fail: each batch would be one.
const repeatLog = 10 * time.Second

// logger passes on what concerns the data; the rest is about clients that come and go. It is safe for concurrent use.
type logger struct {
	log zerolog.Logger
	dir string

	mu      sync.Mutex
	told    time.Time // when a person was last told of a write that failed
	failing int       // writes since then
}

// Logf implements kfake.Logger.
func (l *logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch {
	case level == kfake.LogLevelWarn && strings.HasPrefix(format, "persist"):
		l.unwritten(fmt.Sprintf(format, args...))
	case level == kfake.LogLevelError:
		l.log.Error().Msgf("embedded broker: "+format, args...)
	case level == kfake.LogLevelWarn && strings.Contains(format, "corrupt"):
		l.log.Warn().Msgf("embedded broker: "+format, args...)
	default:
		l.log.Debug().Msgf("embedded broker: "+format, args...)
	}
}

// unwritten tells of a write that failed. The broker goes on without it, in memory.
func (l *logger) unwritten(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing++
	if time.Since(l.told) < repeatLog {
		return
	}
	l.log.Error().Str("error", what).Str("directory", l.dir).Int("writes", l.failing).
		Msg("the embedded broker cannot write its data and goes on in memory: what it holds from now on is lost with the next stop; make room in DATA_DIR and start again")
	l.told, l.failing = time.Now(), 0
}
