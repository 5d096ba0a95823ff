//go:build unix

package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockDir takes the directory for this process. The operating system gives it back when the process ends, however it
// ends; the file itself stays.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, misconfigured("lock", dir, err, "set DATA_DIR to a directory that may be written to")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, misconfigured("lock", dir, err, "set DATA_DIR to a directory on a local disk")
		}
		text := "another process runs its embedded broker there"
		if pid := strings.TrimSpace(string(holder)); pid != "" {
			text += ", pid " + pid
		}
		return nil, misconfigured("lock", dir, errors.New(text), "end it, set another DATA_DIR, or set KAFKA_BOOTSTRAP_SERVERS to its address")
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only for the message above
	}
	return f, nil
}
