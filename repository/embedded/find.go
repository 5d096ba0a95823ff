package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errInUse says that a broker runs on the directory, in another process or in this one.
var errInUse = errors.New("the directory is in use")

// Running tells whether err, from Start, says that a broker runs on the data directory already, and where it listens.
func Running(err error, dataDir string) (addr string, ok bool) {
	if !errors.Is(err, errInUse) {
		return "", false
	}
	text, readErr := os.ReadFile(filepath.Join(dataDir, "broker", "lock"))
	if readErr != nil {
		return "", false
	}
	_, addr, ok = strings.Cut(strings.TrimSpace(string(text)), " listens on ")
	return addr, ok
}

// announce writes into the lock who holds it, for whoever finds it taken.
func announce(lock *os.File, addr string) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt(fmt.Appendf(nil, "process %d listens on %s\n", os.Getpid(), addr), 0)
	return err
}
