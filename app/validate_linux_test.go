package app

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f without root's right to read everything. The file system's user belongs to the thread.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	f()
}

func TestValidateNamesWhatItMayNotRead(t *testing.T) {
	p := newPlace(t)
	for _, dir := range []string{p.dir, filepath.Dir(p.dir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.mkdir(t, "all/locked")
	p.write(t, "all/locked/p.yaml", minimalPipeline)
	p.write(t, "all/good.yaml", minimalPipeline)
	p.write(t, "all/secret.yaml", minimalPipeline)
	for name, mode := range map[string]os.FileMode{"all": 0o755, "all/good.yaml": 0o644, "all/secret.yaml": 0, "all/locked": 0} {
		path := filepath.Join(p.dir, name)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	}
	asNobody(t, func() {
		code, out, problems := p.validated(t, "all")
		locked, secret := filepath.Join("all", "locked"), filepath.Join("all", "secret.yaml")
		if code != exitMisconfigured || !has(out, "good.yaml is right") || !has(problems, "look for pipeline files in "+locked+": permission denied", "read pipeline file "+secret+": permission denied", "3 pipeline files checked, 2 with problems") {
			t.Errorf("exit code %d\n%s%s", code, out, problems)
		}
	})
}
