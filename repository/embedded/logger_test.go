package embedded

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestAFullDiskIsToldOnceIn10Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := &logger{log: zerolog.New(&b), dir: "data/broker"}
		for range 150 {
			l.Logf(kfake.LogLevelWarn, "persist batch %s-%d: %v", "logins", 0, errors.New("no space left on device"))
			time.Sleep(100 * time.Millisecond)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"writes":1,`) || !strings.Contains(lines[1], `"writes":100,`) {
			t.Fatalf("%d lines:\n%s", len(lines), b.String())
		}
		for _, want := range []string{"no space left on device", "data/broker", "DATA_DIR"} {
			if !strings.Contains(lines[0], want) {
				t.Errorf("%q is not in %s", want, lines[0])
			}
		}
	})
}

func TestClientsThatComeAndGoAreNoNews(t *testing.T) {
	var b bytes.Buffer
	l := &logger{log: zerolog.New(&b).Level(zerolog.InfoLevel)}
	l.Logf(kfake.LogLevelWarn, "client %d left", 1)
	l.Logf(kfake.LogLevelInfo, "persist: %d", 1)
	if b.Len() > 0 {
		t.Errorf("told: %s", b.String())
	}
	l.Logf(kfake.LogLevelWarn, "groups.log: discarding %d corrupt trailing bytes", 93)
	if !strings.Contains(b.String(), "93 corrupt") {
		t.Errorf("a damaged file was not told: %s", b.String())
	}
}
