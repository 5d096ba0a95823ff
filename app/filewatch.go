package app

import (
	"context"
	"errors"
	"os"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/utils"
)

// lookAtFile is how often the pipeline file is looked at. It is read, not asked for its time of change or watched for
// events: that finds what Kubernetes does to a ConfigMap (a symbolic link to a folder is swapped), what editors do (another
// file takes the name), and what happens at the other end of a network file system.
const lookAtFile = 2 * time.Second

// watchFile takes the pipeline file over when its content has changed and is the same at two looks: what is being written
// is not read. A content that is refused is told once.
func (a *App) watchFile(ctx context.Context, every time.Duration) {
	w := fileWatch{App: a, again: utils.Backoff{Min: 2 * every, Max: time.Minute}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(ctx)
		}
	}
}

type fileWatch struct {
	*App
	last   string // hash at the look before
	failed string // what was told of last: a file that cannot be read, a reload that did not come about
	again  utils.Backoff
	not    time.Time // before when what did not come about is not tried again
}

func (w *fileWatch) look(ctx context.Context) {
	src, err := readFile(w.dir, w.settings.Engine.PipelineFile)
	if err != nil {
		w.missing(err)
		return
	}
	hash := hashOf(src)
	settled := hash == w.last
	w.last = hash
	if !settled {
		w.again.Reset()
		w.not = time.Time{}
		return
	}
	if w.reloads.knows(hash) {
		w.failed = ""
		return
	}
	if time.Now().Before(w.not) {
		return
	}
	_, err = w.adopt(ctx, src)
	switch {
	case err == nil:
		w.failed = ""
	case w.reloads.knows(hash):
		w.tellRefused(err)
	case ctx.Err() == nil: // it may come about later
		w.not = time.Now().Add(w.again.Next())
		w.tellFailed(err)
	}
}

// missing tells of a file that cannot be read at two looks: while one takes the place of another there is none.
func (w *fileWatch) missing(err error) {
	if w.last != "" {
		w.last = ""
		return
	}
	w.tellFailed(err)
}

func (w *fileWatch) tellFailed(err error) {
	if text := err.Error(); text != w.failed {
		w.failed = text
		w.log.Error().Err(err).Msg("the pipeline file could not be taken over; the stream goes on with the one before, and this is tried again")
	}
}

// obeyHangups reloads the pipeline file at each SIGHUP. A terminal that is closed sends one too: a process that leaves with its
// terminal ends then, as everything else that was started there does.
func (a *App) obeyHangups(ctx context.Context, signals <-chan os.Signal, leaves bool, stop func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		if leaves && !hasTerminal() {
			a.log.Info().Msg("the terminal is gone: stopping")
			stop()
			return
		}
		a.log.Info().Msg("SIGHUP: reading the pipeline file again")
		before := a.current.Load()
		_, err := a.Reload(ctx)
		_, bad := errors.AsType[service.Problems](err)
		switch {
		case ctx.Err() != nil:
		case bad || model.ClassOf(err) == model.Conflict:
			a.tellRefused(err)
		case err != nil:
			a.log.Error().Err(err).Msg("the pipeline file could not be taken over; the stream goes on with the one before")
		case before == a.current.Load():
			a.log.Info().Msg("the pipeline file is the one that is in use")
		}
	}
}

// hasTerminal tells whether the process has a terminal that it belongs to.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}
