package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Env are settings of an engine, by name.
type Env map[string]string

// With is a copy with other settings on top; an empty value takes one away.
func (e Env) With(more Env) Env {
	all := maps.Clone(e)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// Instance is one engine as a process.
type Instance struct {
	Name string

	cmd    *exec.Cmd
	log    string // file
	done   chan struct{}
	code   int
	signal syscall.Signal // that ended it, 0: none
	paused atomic.Bool
}

// Start starts an engine with nothing but these settings in its environment. It is ended with the test, and its log is
// printed if the test fails.
func (s *Suite) Start(t testing.TB, name string, env Env) *Instance {
	t.Helper()
	i, err := s.Spawn(t.TempDir(), name, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		i.Kill()
		if crash := i.Crash(); crash != "" {
			t.Errorf("%s crashed:\n%s", name, crash)
		}
		if t.Failed() {
			t.Logf("the log of %s (%s):\n%s", name, i.Fate(), i.Tail(60))
		}
	})
	return i
}

// Spawn starts an engine in a working directory, for whoever looks after its end.
func (s *Suite) Spawn(dir, name string, env Env, args ...string) (*Instance, error) {
	i := &Instance{Name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	file, err := os.OpenFile(i.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	i.cmd = exec.Command(s.engine, args...)
	i.cmd.Dir, i.cmd.Stdout, i.cmd.Stderr = dir, file, file
	i.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "GORACE=halt_on_error=1 atexit_sleep_ms=0"}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		i.cmd.Env = append(i.cmd.Env, name+"="+env[name])
	}
	if err := i.cmd.Start(); err != nil {
		return nil, err
	}
	go i.reap()
	return i, nil
}

func (i *Instance) reap() {
	_ = i.cmd.Wait() // what it returns is in ProcessState
	i.code = i.cmd.ProcessState.ExitCode()
	if status, ok := i.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		i.signal = status.Signal()
	}
	close(i.done)
}

// Signal sends a signal; a process that has ended gets none.
func (i *Instance) Signal(signal syscall.Signal) { _ = i.cmd.Process.Signal(signal) }

// Kill is kill -9, and waits.
func (i *Instance) Kill() {
	i.Signal(syscall.SIGKILL)
	<-i.done
}

// Pause is SIGSTOP; Resume is SIGCONT.
func (i *Instance) Pause() {
	i.paused.Store(true)
	i.Signal(syscall.SIGSTOP)
}

// Resume lets a paused process go on.
func (i *Instance) Resume() {
	i.Signal(syscall.SIGCONT)
	i.paused.Store(false)
}

// Done is closed when the process has ended.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Exit waits for the end of the process and returns its exit code.
func (i *Instance) Exit(t testing.TB, timeout time.Duration) int {
	t.Helper()
	select {
	case <-i.done:
	case <-time.After(timeout):
		t.Fatalf("%s did not end within %s", i.Name, timeout)
	}
	if i.signal != 0 {
		t.Fatalf("%s was ended by a signal: %s", i.Name, i.signal)
	}
	return i.code
}

// Stop is SIGTERM, and fails the test unless the process ends well in time.
func (i *Instance) Stop(t testing.TB) {
	t.Helper()
	i.Signal(syscall.SIGTERM)
	if code := i.Exit(t, 15*time.Second); code != 0 {
		t.Fatalf("%s ended with code %d after SIGTERM", i.Name, code)
	}
}

// Fate says how the process is or ended.
func (i *Instance) Fate() string {
	select {
	case <-i.done:
	default:
		return "running"
	}
	if i.signal != 0 {
		return i.signal.String()
	}
	return "exit " + strconv.Itoa(i.code)
}

// Crash is the part of its log that begins with a panic or a data race, empty without one.
func (i *Instance) Crash() string {
	log := i.Log()
	for _, sign := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
		if at := strings.Index(log, sign); at >= 0 {
			return log[at:min(at+8000, len(log))]
		}
	}
	return ""
}

// Log is everything it said so far.
func (i *Instance) Log() string {
	text, err := os.ReadFile(i.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Tail is the end of its log.
func (i *Instance) Tail(lines int) string {
	all := strings.Split(strings.TrimRight(i.Log(), "\n"), "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// Says waits until a line of the log contains all of the words.
func (i *Instance) Says(t testing.TB, timeout time.Duration, words ...string) string {
	t.Helper()
	var found string
	Until(t, timeout, i.Name+" says "+strings.Join(words, ", "), func(context.Context) error {
		for line := range strings.Lines(i.Log()) {
			if containsAll(line, words) {
				found = line
				return nil
			}
		}
		return errors.New("it does not")
	})
	return found
}

func containsAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// address finds where the process serves HTTP: it takes a free port and says which.
func (i *Instance) address() (string, error) {
	found := regexp.MustCompile(`"http":"https?://(127\.0\.0\.1:\d+)"`).FindStringSubmatch(i.Log())
	if found == nil {
		return "", errors.New("it does not say where it serves HTTP")
	}
	return found[1], nil
}

// Get asks it over HTTP.
func (i *Instance) Get(ctx context.Context, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return i.request(ctx, http.MethodGet, path, nil, nil)
}

// Post sends it JSON over HTTP.
func (i *Instance) Post(ctx context.Context, path string, document []byte, header http.Header) (status int, body string, err error) {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return i.request(ctx, http.MethodPost, path, bytes.NewReader(document), header)
}

func (i *Instance) request(ctx context.Context, method, path string, content io.Reader, header http.Header) (status int, body string, err error) {
	address, err := i.address()
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, content)
	if err != nil {
		return 0, "", err
	}
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// AwaitReady waits until /readyz says so.
func (i *Instance) AwaitReady(t testing.TB, timeout time.Duration) {
	t.Helper()
	Until(t, timeout, i.Name+" is ready", func(ctx context.Context) error {
		select {
		case <-i.done:
			return errors.New("it has ended: " + i.Fate())
		default:
		}
		status, body, err := i.Get(ctx, "/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("/readyz answers %d: %s", status, body)
		}
		return err
	})
}

// AwaitUnready waits until /readyz names reasons that contain the words, and notes them for the reader of the test.
func (i *Instance) AwaitUnready(t testing.TB, timeout time.Duration, words ...string) {
	t.Helper()
	Until(t, timeout, i.Name+" is not ready because of "+strings.Join(words, ", "), func(ctx context.Context) error {
		status, body, err := i.Get(ctx, "/readyz")
		if err != nil {
			return err
		}
		var report struct {
			Ready   bool
			Waiting []struct{ Name, Reason string }
		}
		if err := json.Unmarshal([]byte(body), &report); err != nil {
			return fmt.Errorf("/readyz: %w: %s", err, body)
		}
		if status != http.StatusServiceUnavailable || report.Ready || len(report.Waiting) == 0 || !containsAll(body, words) {
			return fmt.Errorf("/readyz answers %d: %s", status, body)
		}
		for _, c := range report.Waiting {
			if c.Reason != "starting" {
				t.Logf("not ready: %s: %s", c.Name, c.Reason)
			}
		}
		return nil
	})
}

// Metric is the value of a metric, labels included in the name as Prometheus writes them.
func (i *Instance) Metric(t testing.TB, name string) float64 {
	t.Helper()
	_, body, err := i.Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("%s has no metric %s", i.Name, name)
	return 0
}
