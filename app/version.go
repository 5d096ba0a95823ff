package app

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

func printVersion(_ context.Context, p Process) error {
	if err := p.flags(newFlags("version"), 0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "data-stream-engine %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// stamped is for the linker, where the build does not see the repository, as in a container:
// go build -ldflags "-X data-stream-engine/app.stamped=1.2.3"
var stamped string

// version is what the build was told, or the module's version, or the commit that was built, or "dev".
func version() string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "dev"
}
