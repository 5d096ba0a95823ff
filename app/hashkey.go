package app

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// hashKey is HASH_KEY. The embedded mode makes one when there is none, and keeps it, so that hashes stay the same after
// a restart; everywhere else a key that nobody chose would differ from instance to instance.
func hashKey(s *utils.Settings, dataDir string) (utils.Secret, error) {
	if s.Engine.HashKey != "" || !s.Kafka.IsEmbedded() {
		return s.Engine.HashKey, nil
	}
	path := filepath.Join(dataDir, "hash-key")
	kept, err := os.ReadFile(path)
	if err == nil && len(kept) > 0 {
		return utils.Secret(strings.TrimSpace(string(kept))), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", keyError("read", path, err)
	}
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return "", keyError("keep", path, err)
	}
	key := rand.Text() // 128 bits
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		return "", keyError("keep", path, err)
	}
	return utils.Secret(key), nil
}

func keyError(op, path string, err error) error {
	return &model.Error{Class: model.Misconfigured, Op: op + " the hash key of the embedded mode in", Subject: path, Err: cause(err), Hint: "set DATA_DIR to a directory that may be written to, or set HASH_KEY"}
}

// cause is an error of the file system without the operation and the path, which the message has already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
