package app

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

const terminalDir = "STREAM_ENGINE_TERMINAL_TEST" // where the service of the test below works

// terminal opens a terminal: closing the master is closing its window.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	var locked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// The service is started in a terminal that is closed while it still waits for its brokers.
func TestAClosedTerminalEndsTheServiceUnlessItWasStartedWithNohup(t *testing.T) {
	if dir := os.Getenv(terminalDir); dir != "" {
		os.Exit(Main(t.Context(), Process{Dir: dir, Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	hangups := make(chan os.Signal, 1) // should the test itself run with nohup, the service does not for that
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for name, nohup := range map[string][]string{"plain": nil, "nohup": {"nohup"}} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write(t, ".env", "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1\nHTTP_ADDR=127.0.0.1:0\nLOG_FORMAT=json\nHASH_KEY=0123456789abcdef\n")
			says := func(text string) func() bool { return func() bool { return has(p.err.String(), text) } }
			master, slave := terminal(t)
			words := append(nohup, os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
			service := exec.CommandContext(t.Context(), words[0], words[1:]...)
			service.Env = append(os.Environ(), terminalDir+"="+p.dir)
			service.Stdin, service.Stdout, service.Stderr = slave, p.err, p.err
			service.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := service.Start(); err != nil {
				t.Fatal(err)
			}
			_ = slave.Close()
			ended := make(chan error, 1)
			go func() { ended <- service.Wait() }()
			p.eventually(t, "the start", says(`"message":"started"`))
			_ = master.Close()
			if nohup != nil {
				p.eventually(t, "the signal", says("SIGHUP: reading the pipeline file again"))
				if err := service.Process.Signal(os.Interrupt); err != nil || says("the terminal is gone")() {
					t.Errorf("it has not outlived the terminal: %v", err)
				}
			} else {
				p.eventually(t, "the end", says("the terminal is gone: stopping"))
			}
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Error("the service has not ended")
			}
		})
	}
}
