package deploy

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The linker says nothing when the dockerfile names a variable that is not there: then the image would have no version.
func TestImageIsStamped(t *testing.T) {
	flags := regexp.MustCompile(`-ldflags="([^"]*\$VERSION[^"]*)"`).FindStringSubmatch(string(read(t, "dockerfile")))
	if flags == nil {
		t.Fatal("the dockerfile gives the linker no version")
	}
	binary := t.TempDir() + "/data-stream-engine"
	build := exec.CommandContext(t.Context(), "go", "build", "-pgo=auto", "-ldflags="+strings.ReplaceAll(flags[1], "$VERSION", "1.2.3-test"), "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "data-stream-engine 1.2.3-test ") {
		t.Errorf("%q, %v", out, err)
	}
}

// Without the profile the image would be built all the same, and be slower.
func TestImageIsBuiltWithTheProfile(t *testing.T) {
	if len(read(t, "default.pgo")) == 0 {
		t.Error("default.pgo is empty")
	}
	if !strings.Contains("\n"+string(read(t, ".dockerignore")), "\n!default.pgo\n") {
		t.Error(".dockerignore keeps default.pgo from the build")
	}
}
