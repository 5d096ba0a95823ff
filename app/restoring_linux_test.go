package app_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal is a pseudo terminal, and what a person sees there.
func openTerminal(t *testing.T) (*os.File, *logged) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	must(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 200}))
	seen := &logged{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			_, _ = seen.Write(buffer[:n])
			if err != nil { // the terminal is closed
				return
			}
		}
	}()
	t.Cleanup(func() {
		terminal.Close()
		<-done
	})
	return terminal, seen
}

// Who starts the service at a terminal sees how far its windows are restored; nobody else has a bar in the log.
func TestARestoreHasABarAtATerminal(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	stuck := r.stuckRestore()
	const bar = "restoring the windows of 4 partitions"
	second := r.watching()
	r.eventually("a restore", func() bool { return second.waits("restored") && second.app.View().Status().Restore != nil })
	must(t, second.stop())
	if text := second.log.String(); strings.Contains(text, bar) || strings.Contains(text, "\r") {
		t.Error("a log has a bar")
	}
	var seen *logged
	r.terminal, seen = openTerminal(t)
	third := r.watching("LOG_FORMAT=console")
	r.eventually("a bar", func() bool { return strings.Count(seen.String(), bar) > 1 })
	r.feed(240) // "first events" is a line while there is a bar
	r.exactlyOnce()
	for line := range strings.Lines(seen.String()) {
		if _, behind, found := strings.Cut(line, bar); found && strings.Contains(behind, "INF") && !strings.Contains(behind, "\r") {
			t.Errorf("a line of the log is behind the bar: %q", line)
		}
	}
	stuck.Remove()
	r.eventually("readiness", third.ready)
	r.eventually("an end of the bar", func() bool {
		text := seen.String()
		return strings.Contains(text[strings.LastIndex(text, bar):], "\r")
	})
	r.feed(60)
	r.exactlyOnce()
	r.requireWindows()
}
