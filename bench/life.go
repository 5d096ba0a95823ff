package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// build makes the binaries of all contestants, which lie in b.dir. It comes before all that takes minutes.
func (b *bench) build(ctx context.Context) error {
	builds := [][]string{{"build", "-o", b.dir + "/", "./peers/..."}}
	if b.engine == "" {
		builds = append(builds, []string{"build", "-C", "..", "-o", filepath.Join(b.dir, "engine"), "."})
	} else if err := b.adopt(b.engine); err != nil {
		return fmt.Errorf("-engine: %w", err)
	}
	for _, arguments := range builds {
		out, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, out)
		}
	}
	return nil
}

// adopt takes a binary of the engine that is there already.
func (b *bench) adopt(binary string) error {
	path, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	return os.Symlink(path, filepath.Join(b.dir, "engine"))
}

// hashKey is the HASH_KEY of all contestants.
const hashKey = "a key for benchmarks only"

// life is a running process of a contestant.
type life struct {
	command *exec.Cmd
	started time.Time
	log     bytes.Buffer // to be read when the process has ended
	output  string       // a file with the same, as it comes
	ended   chan struct{}
	err     error // of the process, when it has ended
}

// start runs a contestant in a group of its own, which is called as its output topic.
func (b *bench) start(c contestant, interval time.Duration, source, output string) (*life, error) {
	pipeline, err := b.pipelineFile(c)
	if err != nil {
		return nil, err
	}
	l := &life{command: exec.Command(filepath.Join(b.dir, c.binary)), ended: make(chan struct{})}
	file, err := os.CreateTemp(b.dir, "log-")
	if err != nil {
		return nil, err
	}
	l.output = file.Name()
	data, err := os.MkdirTemp(b.dir, "data-") // nobody finds what another has recorded
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	l.command.Dir, l.command.Stdout, l.command.Stderr = b.dir, file, file
	l.command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "KAFKA_BOOTSTRAP_SERVERS=" + b.bootstrap, "KAFKA_SOURCE_TOPIC=" + source, "KAFKA_OUTPUT_TOPIC=" + output,
		"KAFKA_GROUP_ID=" + output, "PIPELINE_FILE=" + pipeline, "DATA_DIR=" + data, "STORAGE_URL=" + b.storage,
		"KAFKA_AUTO_CREATE_TOPICS=true", "HASH_KEY=" + hashKey, "COMMIT_INTERVAL=" + interval.String(), "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json",
	}, c.environment...)
	if c.traced {
		l.command.Env = append(l.command.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+b.collector.url)
	}
	l.started = time.Now()
	if err := l.command.Start(); err != nil {
		return nil, errors.Join(err, file.Close(), os.RemoveAll(data))
	}
	go func() {
		l.err = errors.Join(l.command.Wait(), file.Close(), os.RemoveAll(data))
		text, err := os.ReadFile(l.output)
		_, _ = l.log.Write(text) // cannot fail
		l.err = errors.Join(l.err, err)
		close(l.ended)
	}()
	return l, nil
}

// during calls f, whose context ends when the process does.
func (l *life) during(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-l.ended:
			cancel(fmt.Errorf("the process has ended too early (%s)", l.command.ProcessState))
		case <-ctx.Done():
		}
	}()
	err := f(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// stop ends the process as an operator would, and returns the CPU time of its whole life. before is what went wrong
// until then.
func (l *life) stop(before error) (time.Duration, error) {
	_ = l.command.Process.Signal(syscall.SIGTERM) // if it has ended, Wait tells
	select {
	case <-l.ended:
	case <-time.After(20 * time.Second):
		_ = l.command.Process.Kill()
		<-l.ended
	}
	if before == nil {
		before = l.err
	}
	if before != nil {
		return 0, fmt.Errorf("%s: %w\n%s", filepath.Base(l.command.Path), before, l.log.Bytes())
	}
	return l.command.ProcessState.UserTime() + l.command.ProcessState.SystemTime(), nil
}

// tell repeats what a process that has ended said, besides that all is well. A warning may explain a number.
func (l *life) tell(w io.Writer) {
	for line := range bytes.Lines(l.log.Bytes()) {
		if !bytes.HasPrefix(line, []byte(`{"level":"info"`)) {
			_, _ = w.Write(line) // for a person; the numbers do not depend on it
		}
	}
}

// peak is the most memory that the process has had so far, 0 where there is no /proc. What a process is told to have used
// when it has ended would count the memory of its parent, from before exec.
func (l *life) peak() int64 {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(l.command.Process.Pid), "status"))
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// used is the CPU time of another process so far, 0 where there is no /proc. It comes in hundredths of a second
// (proc(5), utime and stime: the kernel's USER_HZ is 100 on every architecture that Go runs on).
func used(pid int) time.Duration {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil { // there is no process 0 either
		return 0
	}
	// The name of the process, in parentheses, may have spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// committed waits until a group has committed the end of a topic that has so many events.
func (b *bench) committed(ctx context.Context, group, topic string, events int) error {
	for {
		offsets, err := b.admin.FetchOffsets(ctx, group)
		if err == nil {
			err = offsets.Error()
		}
		var sum int64
		offsets.Each(func(o kadm.OffsetResponse) {
			if o.Topic == topic {
				sum += max(o.At, 0)
			}
		})
		if err == nil && sum >= int64(events) {
			return nil
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			return errors.Join(fmt.Errorf("the group has committed %d of %d events: %w", sum, events, ctx.Err()), err)
		}
	}
}
