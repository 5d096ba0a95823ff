package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The test binary runs itself as a broker when these are set.
const (
	brokerDir    = "STREAM_ENGINE_TEST_BROKER"
	brokerPort   = "STREAM_ENGINE_TEST_BROKER_PORT"
	brokerSecure = "STREAM_ENGINE_TEST_BROKER_SECURE"
)

// BrokerProcess tells whether this process is to be a broker instead of running tests.
func BrokerProcess() bool { return os.Getenv(brokerDir) != "" }

// brokerProcess is the embedded broker in a process of its own, which can be stopped and killed as a real one.
type brokerProcess struct {
	dir    string
	secure bool
	port   int // kept over restarts
	cmd    *exec.Cmd
	stdin  io.Closer // its end is the end of the process, whatever becomes of this one
}

// up starts the broker and returns its description.
func (b *brokerProcess) up() (string, error) {
	if b.cmd != nil {
		return "", errors.New("the broker is running")
	}
	if b.port != 0 {
		return b.launch()
	}
	// Somebody else may take a port between the moment at which it was found free and that at which the broker listens.
	var all error
	for range 3 {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		b.port = port
		described, err := b.launch()
		if err == nil {
			return described, nil
		}
		b.port, all = 0, errors.Join(all, err)
	}
	return "", all
}

// launch starts the process on the port.
func (b *brokerProcess) launch() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), brokerDir+"="+b.dir, brokerPort+"="+strconv.Itoa(b.port), brokerSecure+"="+strconv.FormatBool(b.secure))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	b.cmd, b.stdin = cmd, stdin
	return b.await(stdout)
}

// await reads the description, which ends with an empty line.
func (b *brokerProcess) await(stdout io.Reader) (string, error) {
	var text strings.Builder
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if lines.Text() == "" {
			want := net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port))
			if !strings.Contains(text.String(), "BOOTSTRAP="+want+"\n") {
				return "", errors.Join(fmt.Errorf("the broker is not on %s: %s", want, text.String()), b.kill())
			}
			return text.String(), nil
		}
		text.WriteString(lines.Text() + "\n")
	}
	return "", errors.Join(errors.New("the broker process ended while it started"), b.kill())
}

func (b *brokerProcess) down() error { return b.end(syscall.SIGTERM) }
func (b *brokerProcess) kill() error { return b.end(syscall.SIGKILL) }

func (b *brokerProcess) end(signal syscall.Signal) error {
	if b.cmd == nil {
		return nil
	}
	cmd := b.cmd
	b.cmd = nil
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	hard := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer hard.Stop()
	err := cmd.Wait()
	_ = b.stdin.Close()
	var exit *exec.ExitError
	if errors.As(err, &exit) && signal == syscall.SIGKILL {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the broker process: %w", err)
	}
	return nil
}

// freePort is one that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
