package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Embedded is the target whose broker is the engine's own embedded one, in a process of its own.
const Embedded = "embedded"

// Suite is what the tests of one package share: a cluster and the engine's binary.
type Suite struct {
	Target  string // embedded, 4.3.1, 3.9.2
	Cluster *Cluster
	Root    string // of the repository
	dir     string
	engine  string
}

// Options say what the tests of a package need.
type Options struct {
	Target  string   // empty: embedded
	Race    bool     // the engine is built with the race detector when the tests are
	Brokers int      // of a real cluster; 0: one
	Secure  bool     // listeners with TLS and SASL beside the plain one
	Set     []string // settings of a real broker, KEY=VALUE
}

// Run builds the engine, starts the cluster, runs the tests, and ends the cluster again. The result is for os.Exit. A
// cluster that does not come up fails the tests: none is left out. set receives the suite before the tests run.
func Run(m *testing.M, o Options, set func(*Suite)) int {
	if BrokerProcess() {
		return serveBroker()
	}
	s, err := newSuite(o)
	if err == nil {
		defer s.close()
		err = s.start(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tests cannot begin:", err)
		return 1
	}
	set(s)
	return m.Run()
}

func newSuite(o Options) (*Suite, error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stream-engine-test-")
	if err != nil {
		return nil, err
	}
	if o.Target == "" {
		o.Target = Embedded
	}
	return &Suite{Target: o.Target, Root: root, dir: dir, engine: filepath.Join(dir, "engine")}, nil
}

func (s *Suite) start(o Options) error {
	began := time.Now()
	args := []string{"build", "-o", s.engine}
	if o.Race && raceEnabled {
		args = append(args, "-race", "-pgo=off") // it is slow anyhow
	} else {
		args = append(args, "-pgo=auto") // as it ships
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = s.Root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the engine: %w\n%s", err, out)
	}
	built := time.Since(began)
	cluster, err := s.newCluster(o)
	if err != nil {
		return err
	}
	s.Cluster = cluster
	fmt.Fprintf(os.Stderr, "target %s: engine built in %s, brokers %s up in %s\n", s.Target, built.Round(time.Millisecond),
		strings.Join(cluster.Bootstrap, ","), (time.Since(began) - built).Round(time.Millisecond))
	return nil
}

func (s *Suite) close() {
	if s.Cluster != nil {
		if err := s.Cluster.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "the cluster did not end:", err)
		}
	}
	_ = os.RemoveAll(s.dir)
}

// IsEmbedded tells whether the target is the embedded broker.
func (s *Suite) IsEmbedded() bool { return s.Target == Embedded }

// findRoot is the folder of go.mod above the package under test.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("there is no go.mod above the working directory")
	}
}

// Until calls f every few milliseconds until it returns nil, and fails the test with its last error after the time.
func Until(t testing.TB, timeout time.Duration, what string, f func(context.Context) error) {
	t.Helper()
	if err := Poll(timeout, f); err != nil {
		t.Fatalf("%s: not within %s: %v", what, timeout, err)
	}
}

// Poll is Until for those who go on after a failure.
func Poll(timeout time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var last error
	for pause := 20 * time.Millisecond; ; pause = min(pause*3/2, 300*time.Millisecond) {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(pause):
		}
	}
}
