//go:build !unix

package embedded

import (
	"os"
	"path/filepath"
)

// lockDir cannot take the directory on this system: two processes with one DATA_DIR are not noticed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, misconfigured("lock", dir, err, "set DATA_DIR to a directory that may be written to")
	}
	return f, nil
}
