//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"data-stream-engine/model"
)

// lockDir takes the directory for this process. The operating system gives it back when the process ends, however it
// ends; the file itself stays.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
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
		if who := strings.TrimSpace(string(holder)); who != "" {
			text += " (" + who + ")"
		}
		return nil, &model.Error{Class: model.Misconfigured, Op: "lock", Subject: dir, Err: fmt.Errorf("%w: %s", errInUse, text),
			Hint: "end it, set another DATA_DIR, or set KAFKA_BOOTSTRAP_SERVERS to its address"}
	}
	return f, nil
}
