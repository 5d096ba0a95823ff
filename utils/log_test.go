package utils

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestLogIsJSONWhenNobodyWatches(t *testing.T) {
	var b bytes.Buffer
	log := NewLog(&b, "info", "auto")
	log.Debug().Msg("hidden")
	log.Info().Str("topic", "logins").Msg("started")
	var line struct {
		Time    time.Time `json:"time"`
		Level   string    `json:"level"`
		Topic   string    `json:"topic"`
		Message string    `json:"message"`
	}
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if line.Level != "info" || line.Topic != "logins" || line.Message != "started" || time.Since(line.Time).Abs() > time.Minute {
		t.Errorf("line is %+v", line)
	}
}

func TestLogForAPersonHasNoBraces(t *testing.T) {
	var b bytes.Buffer
	log := NewLog(&b, "debug", "console")
	log.Debug().Int("events", 3).Msg("moved on")
	if got := b.String(); strings.Contains(got, "{") || strings.Contains(got, "\x1b") || !strings.Contains(got, "moved on events=3") {
		t.Errorf("line is %q", got)
	}
}
