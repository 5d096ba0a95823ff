package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// engineBinary builds the service once for all tests.
var engineBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "data-stream-engine")
	build := exec.Command("go", "build", "-pgo=auto", "-o", path, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the service: %w: %s", err, out)
	}
	return path, nil
})

// process is a program that a test has started, with what it said.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// Write is what the program says.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start runs a program until the test ends, and shows what it said when the test has failed.
func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p, p
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			text := p.said()
			t.Logf("%s said:\n%s", filepath.Base(name), text[max(0, len(text)-8000):])
		}
	})
	return p
}

// stop ends it as an operator would, and in earnest when it does not listen.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Errorf("%s does not end", p.cmd.Path)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// engine starts an instance. It returns where it answers.
func engine(t *testing.T, env ...string) (addr string, p *process) {
	t.Helper()
	binary, err := engineBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	addr = freeAddr(t)
	p = start(t, dir, append([]string{"HTTP_ADDR=" + addr, "LOG_FORMAT=json", "HASH_KEY=0123456789abcdef0123456789abcdef", "KAFKA_AUTO_CREATE_TOPICS=true",
		"KAFKA_PARTITIONS=4", "PIPELINE_FILE=" + absolute(t, "pipeline.yaml")}, env...), binary)
	return addr, p
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// freeAddr is an address that nobody listens on now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// get asks, and returns the status and the body; a server that does not answer is status 0.
func get(ctx context.Context, url string) (int, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// eventually waits until what returns nothing, and says what it returned last.
func eventually(t *testing.T, within time.Duration, what func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	err := errors.New("nothing yet")
	for time.Now().Before(deadline) {
		if err = what(); err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("not within %s: %v", within, err)
}

// ready waits until an instance does its work.
func ready(t *testing.T, addr string) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		if status, body := get(t.Context(), "http://"+addr+"/readyz"); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, strings.TrimSpace(body))
		}
		return nil
	})
}
