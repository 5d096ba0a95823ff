package deploy

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What a client gets through nginx is whole whatever happens to one of the replicas: it is killed, comes back, or stands still
// without a word. Streams go on, at the other replica if need be.
func TestNginxHidesTheLossOfAReplica(t *testing.T) {
	servers := kafka(t, "start")
	env := []string{"KAFKA_BOOTSTRAP_SERVERS=" + servers, "KAFKA_REPLICATION_FACTOR=1"}
	firstAddr, first := engine(t, env...)
	ready(t, firstAddr) // the topics are there
	secondAddr, second := engine(t, env...)
	ready(t, secondAddr)
	addr := nginx(t, firstAddr, secondAddr)

	load := hammer(t, addr, 6)
	streams := listen(t, addr, 4)
	eventually(t, 20*time.Second, func() error { return streams.each(2) })

	_ = first.cmd.Process.Kill()
	<-first.done
	time.Sleep(3 * time.Second)
	load.whole(t, "a replica was killed", 5*time.Second)
	streams.again(t, "a replica was killed")
	if streams.whole() == 0 {
		t.Error("every stream was broken, those at the other replica too")
	}

	again, _ := engine(t, append(env, "HTTP_ADDR="+firstAddr)...)
	ready(t, firstAddr)
	time.Sleep(6 * time.Second) // until nginx asks it again
	load.whole(t, again+" takes its place", 5*time.Second)

	_ = second.cmd.Process.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { _ = second.cmd.Process.Signal(syscall.SIGCONT) })
	time.Sleep(20 * time.Second)
	_ = second.cmd.Process.Signal(syscall.SIGCONT)
	time.Sleep(time.Second)
	load.whole(t, "a replica was frozen", 15*time.Second)
	streams.again(t, "a replica was frozen")
	load.stop()
}

// nginx is a real one, with the shipped template, in front of engines.
func nginx(t *testing.T, engines ...string) (addr string) {
	t.Helper()
	dir := t.TempDir()
	addr = freeAddr(t)
	var list strings.Builder
	for _, e := range engines {
		fmt.Fprintf(&list, "server %s max_fails=1 fail_timeout=5s; ", e)
	}
	made := exec.CommandContext(t.Context(), absolute(t, "scripts/nginx.sh"), dir)
	made.Env = append(made.Environ(), "ENGINE_SERVERS="+list.String(), "NGINX_LISTEN="+addr)
	config, err := made.Output()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/nginx.conf", string(config))
	start(t, dir, nil, "nginx", "-p", dir, "-c", dir+"/nginx.conf", "-e", dir+"/error.log")
	eventually(t, 10*time.Second, func() error {
		if status, body := get(t.Context(), "http://"+addr+"/api/v1/status"); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	return addr
}

// load is clients that ask one question after the other.
type load struct {
	stop func()

	mu      sync.Mutex
	asked   int
	slowest time.Duration
	failed  []string
}

func hammer(t *testing.T, addr string, clients int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				path := []string{"/api/v1/status", "/api/v1/insights", "/api/v1/dead-letters", "/"}[n%4]
				began := time.Now()
				status, body := get(ctx, "http://"+addr+path)
				if ctx.Err() != nil {
					return
				}
				l.answered(path, status, body, time.Since(began))
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	l.stop = func() { cancel(); all.Wait() }
	t.Cleanup(l.stop)
	return l
}

func (l *load) answered(path string, status int, body string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	l.slowest = max(l.slowest, took)
	if status != http.StatusOK {
		l.failed = append(l.failed, fmt.Sprintf("%s: %d %.200s", path, status, body))
	}
}

// whole holds that every question had its answer since the last look.
func (l *load) whole(t *testing.T, when string, within time.Duration) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%s: %d requests, the slowest took %s", when, l.asked, l.slowest.Round(time.Millisecond))
	if len(l.failed) > 0 {
		t.Errorf("%s: %d of %d requests failed, the first one %s", when, len(l.failed), l.asked, l.failed[0])
	}
	if l.asked < 50 || l.slowest > within {
		t.Errorf("%s: %d requests, and one took %s", when, l.asked, l.slowest)
	}
	l.asked, l.slowest, l.failed = 0, 0, nil
}

// pages are readers of server-sent events, which ask again when their stream ends, as a browser does.
type pages []*reader

type reader struct{ frames, breaks atomic.Int64 }

func listen(t *testing.T, addr string, n int) (all pages) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range n {
		r := &reader{}
		all = append(all, r)
		wait.Go(func() {
			for ctx.Err() == nil {
				r.follow(ctx, "http://"+addr+"/api/v1/live")
				r.breaks.Add(1)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	t.Cleanup(func() { cancel(); wait.Wait() })
	return all
}

func (r *reader) follow(ctx context.Context, url string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "data:") {
			r.frames.Add(1)
		}
	}
}

// each holds that every reader has that many frames at least.
func (all pages) each(frames int64) error {
	for i, r := range all {
		if n := r.frames.Load(); n < frames {
			return fmt.Errorf("reader %d of %d has %d frames, and was broken off %d times", i+1, len(all), n, r.breaks.Load())
		}
	}
	return nil
}

// again holds that all readers go on to get frames.
func (all pages) again(t *testing.T, when string) {
	t.Helper()
	for _, r := range all {
		r.frames.Store(0)
	}
	began := time.Now()
	eventually(t, time.Minute, func() error { return all.each(3) })
	t.Logf("%s: every stream goes on after %s", when, time.Since(began).Round(100*time.Millisecond))
}

// whole is how many readers were never broken off.
func (all pages) whole() (n int) {
	for _, r := range all {
		if r.breaks.Load() == 0 {
			n++
		}
	}
	return n
}
