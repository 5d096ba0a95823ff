// Package browser opens the dashboard in a headless Chromium and uses it as a person does: it looks, clicks and types.
// Behind the page are real services, as processes. It must never look into the engine or take a short cut through the API
// for something that the page is to do.
//
// TEST_BROWSER set, to 1 or to a browser: all of it runs, and a browser that is missing fails it. Not set: a core of the
// suite runs, so that it is part of every plain `go test ./...`, or nothing without a browser; both say so.
// scripts/browser.sh installs what is needed and runs everything.
package browser

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

// suite and chromium are set by TestMain before the first test.
var (
	suite    *harness.Suite
	chromium *chrome
)

// Times that are generous: they bound how long a failure takes, not how fast the page is.
const (
	soon = 30 * time.Second
	late = 2 * time.Minute
)

// core is what runs when TEST_BROWSER is not set.
const core = "^TestTheDashboardOfTheFirstMinuteIsAlive$"

func TestMain(m *testing.M) {
	flag.Parse()
	path, err := findBrowser()
	if err != nil && !harness.BrokerProcess() {
		if os.Getenv("TEST_BROWSER") == "" {
			fmt.Fprintln(os.Stderr, "NO TEST OF THE DASHBOARD HAS RUN:", err, "- TEST_BROWSER=1 makes this a failure")
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, "the tests cannot begin:", err)
		os.Exit(1)
	}
	if os.Getenv("TEST_BROWSER") == "" && flag.Lookup("test.run").Value.String() == "" && !harness.BrokerProcess() {
		fmt.Fprintln(os.Stderr, "TEST_BROWSER is not set: running the core of the suite")
		if err := flag.Set("test.run", core); err != nil {
			panic(err)
		}
	}
	chromium = &chrome{path: path}
	code := harness.Run(m, harness.Options{Race: true}, func(s *harness.Suite) { suite = s })
	chromium.close()
	os.Exit(code)
}

// findBrowser is the browser that TEST_BROWSER names, or one of the names that Chromium goes by.
func findBrowser() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "headless-shell", "chrome"}
	if name := os.Getenv("TEST_BROWSER"); name != "" && name != "1" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no browser: none of %v is installed (Debian: apt-get install chromium)", names)
}
