package handler

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"data-stream-engine/handler/guard"
)

// leaveOut skips a test for which the machine lacks something, aloud; not where everything has been set up (TEST_ALL).
func leaveOut(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("TEST_ALL") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("NOT TESTED: "+format, args...)
}

const inNamespace = "TEST_IN_NETWORK_NAMESPACE"

// A peer of another address than loopback's is somebody else, also when it names the service localhost. The test runs in a
// network namespace of its own, where this machine has such an address.
func TestAPeerOfTheNetworkIsNotThisMachine(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAPeerOfTheNetworkIsNotThisMachine$", "-test.v")
		again.Env = append(os.Environ(), inNamespace+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
		out, err := again.CombinedOutput()
		if len(out) == 0 && err != nil {
			leaveOut(t, "no network namespace can be made here: %v", err)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, arguments := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", "192.0.2.1/32", "dev", "lo"}} {
		if out, err := exec.CommandContext(t.Context(), "ip", arguments...).CombinedOutput(); err != nil {
			leaveOut(t, "ip %v: %v %s", arguments, err, out)
		}
	}
	_, c := door(t, time.Hour)
	c.Addr = "0.0.0.0:0"
	h, err := NewHTTP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	h.Mount("/change", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := c.Guard.Check(r, guard.Change); err != nil {
			refuse(w, r, err)
		}
	}))
	go func() { _ = h.Run() }()
	_, port, err := net.SplitHostPort(h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]int{"192.0.2.1": http.StatusForbidden, "127.0.0.1": http.StatusOK} {
		for _, path := range []string{"/change", "/debug/pprof/"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(address, port)+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "localhost:" + port
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s from %s: %d, want %d", path, address, response.StatusCode, want)
			}
		}
	}
}
