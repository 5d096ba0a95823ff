package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Cluster is the Kafka under test.
type Cluster struct {
	Bootstrap []string
	// What the security tests need; empty without Options.Secure.
	SASLSSL, SSL, SASLPlaintext string // addresses of the other listeners
	Username, Password          string
	CAFile, CertFile, KeyFile   string
	// Admin credentials on the SASL listeners; empty: the plain listener is for administrators.
	AdminUsername, AdminPassword string

	target  string
	root    string
	brokers int
	broker  *brokerProcess // of the embedded target
	mu      sync.Mutex     // one command at a time
	mended  int
}

func (s *Suite) newCluster(o Options) (*Cluster, error) {
	c := &Cluster{target: s.Target, root: s.Root, brokers: max(o.Brokers, 1)}
	if s.IsEmbedded() {
		c.broker = &brokerProcess{dir: filepath.Join(s.dir, "broker"), secure: o.Secure}
		return c, c.describe(c.broker.up())
	}
	args := []string{"--brokers", strconv.Itoa(c.brokers)}
	if o.Secure {
		args = append(args, "--secure")
	}
	for _, line := range o.Set {
		args = append(args, "--set", line)
	}
	if _, err := c.script("start", args...); err != nil {
		return nil, err
	}
	return c, c.describe(c.script("env"))
}

// describe takes NAME=VALUE lines.
func (c *Cluster) describe(text string, err error) error {
	if err != nil {
		return err
	}
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	c.Bootstrap = strings.Split(values["BOOTSTRAP"], ",")
	c.SASLSSL, c.SSL, c.SASLPlaintext = values["SASL_SSL_BOOTSTRAP"], values["SSL_BOOTSTRAP"], values["SASL_PLAINTEXT_BOOTSTRAP"]
	c.Username, c.Password = values["USERNAME"], values["PASSWORD"]
	c.AdminUsername, c.AdminPassword = values["ADMIN_USERNAME"], values["ADMIN_PASSWORD"]
	c.CAFile, c.CertFile, c.KeyFile = values["CA_FILE"], values["CERT_FILE"], values["KEY_FILE"]
	if c.Bootstrap[0] == "" {
		return fmt.Errorf("the cluster does not say where it is: %q", text)
	}
	return nil
}

// Brokers is how many there are, numbered from 1.
func (c *Cluster) Brokers() int { return c.brokers }

// Down ends a broker as its administrator would, and waits for its end.
func (c *Cluster) Down(node int) error { return c.command("down", node, (*brokerProcess).down) }

// Kill ends a broker with kill -9.
func (c *Cluster) Kill(node int) error { return c.command("kill9", node, (*brokerProcess).kill) }

// Pause makes a broker that is there and answers nothing; Resume ends that.
func (c *Cluster) Pause(node int) error {
	return c.command("pause", node, func(b *brokerProcess) error { return b.cmd.Process.Signal(syscall.SIGSTOP) })
}

// Resume is the end of Pause.
func (c *Cluster) Resume(node int) error {
	return c.command("resume", node, func(b *brokerProcess) error { return b.cmd.Process.Signal(syscall.SIGCONT) })
}

// Up starts a broker that is down, with its data, and waits until it is ready.
func (c *Cluster) Up(node int) error {
	return c.command("up", node, func(b *brokerProcess) error {
		return c.describe(b.up())
	})
}

func (c *Cluster) command(name string, node int, embedded func(*brokerProcess) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broker != nil {
		return embedded(c.broker)
	}
	_, err := c.script(name, strconv.Itoa(node))
	if err == nil && name == "up" && c.breaksTransactions() {
		err = c.mend()
	}
	return err
}

// Close ends all brokers.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broker != nil {
		return c.broker.kill()
	}
	_, err := c.script("stop")
	return err
}

func (c *Cluster) script(command string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(c.root, "scripts", "kafka.sh"), append([]string{command, c.target}, args...)...)
	cmd.Dir = c.root
	cmd.Env = os.Environ()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kafka.sh %s %s: %w\n%s%s", command, c.target, err, out.String(), log.String())
	}
	return out.String(), nil
}
