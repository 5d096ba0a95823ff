package harness

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Postgres is a PostgreSQL of one test.
type Postgres struct {
	URL string

	script string
	env    []string
}

// StartPostgres starts one, or leaves the test out, aloud, where there is none; not where a target was asked for.
func (s *Suite) StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres") //nolint:usetesting // its user has to get there, and may not enter a directory of the test's
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	p := &Postgres{script: filepath.Join(s.Root, "scripts", "postgres.sh"), env: append(os.Environ(), "POSTGRES_HOME="+dir, "POSTGRES_PORT="+port)}
	out, err := p.run(t, "start")
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 && os.Getenv("TEST_KAFKA_TARGET") == "" && os.Getenv("TEST_ALL") == "" {
		t.Skip("NOT TESTED WITH POSTGRESQL: it is not installed")
	}
	if err != nil {
		t.Fatal(err, out)
	}
	t.Cleanup(func() {
		_, _ = p.run(t, "stop")
		_ = os.RemoveAll(dir)
	})
	p.URL = strings.TrimSpace(out)
	return p
}

// Do is a command of scripts/postgres.sh: stop, kill9, up.
func (p *Postgres) Do(t testing.TB, command string) {
	t.Helper()
	if out, err := p.run(t, command); err != nil {
		t.Fatal(command, err, out)
	}
}

func (p *Postgres) run(t testing.TB, command string) (string, error) {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), p.script, command)
	cmd.Env = p.env
	out, err := cmd.Output()
	return string(out), err
}
