package handler

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/handler/guard"
	"data-stream-engine/model"
)

// door starts the HTTP door on a free port. before are changes to the server before it serves.
func door(t *testing.T, maxIdle time.Duration, before ...func(*http.Server)) (*HTTP, HTTPConfig) {
	t.Helper()
	open, err := guard.New("")
	if err != nil {
		t.Fatal(err)
	}
	c := HTTPConfig{Addr: "127.0.0.1:0", MaxIdle: maxIdle, Readiness: NewReadiness("broker", "assigned"), Progress: NewProgress(),
		Metrics: NewMetrics("g", "test").Gatherer(), Guard: open, Log: zerolog.Nop()}
	h, err := NewHTTP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range before {
		change(h.server)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h, c
}

func request(t *testing.T, h *HTTP, method, path string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+h.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestReadyzNamesWhatItWaitsFor(t *testing.T) {
	h, c := door(t, time.Hour)
	c.Readiness.Set("broker", "cannot reach 127.0.0.1:9092: connection refused")
	response, body := request(t, h, http.MethodGet, "/readyz")
	var report Report
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusServiceUnavailable || report.Ready || len(report.Waiting) != 2 ||
		report.Waiting[0].Name != "assigned" || !strings.Contains(report.Waiting[1].Reason, "refused") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	c.Readiness.Clear("broker")
	c.Readiness.Clear("assigned")
	if response, body := request(t, h, http.MethodGet, "/readyz"); response.StatusCode != http.StatusOK || !strings.Contains(body, `"waiting":[]`) {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

func TestLivezFailsOnlyWithoutProgress(t *testing.T) {
	patient, c := door(t, time.Hour)
	c.Progress.Made()
	if response, body := request(t, patient, http.MethodGet, "/livez"); response.StatusCode != http.StatusOK {
		t.Errorf("right after progress, though not ready: %d %s", response.StatusCode, body)
	}
	h, c := door(t, time.Nanosecond)
	c.Progress.Made()
	response, body := request(t, h, http.MethodGet, "/livez")
	if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "MAX_POLL_INTERVAL") {
		t.Errorf("without progress: %d %s", response.StatusCode, body)
	}
}

func TestMetricsAreServed(t *testing.T) {
	h, _ := door(t, time.Hour)
	response, body := request(t, h, http.MethodGet, "/metrics")
	if response.StatusCode != http.StatusOK || !strings.Contains(body, `stream_engine_events_total{outcome="forwarded"} 0`) || !strings.Contains(body, "process_cpu_seconds_total") {
		t.Errorf("%d %.300s", response.StatusCode, body)
	}
}

func TestOtherMethodsAndPathsAreProblems(t *testing.T) {
	h, _ := door(t, time.Hour)
	for _, c := range []struct {
		method, path string
		status       int
	}{{http.MethodPost, "/readyz", http.StatusMethodNotAllowed}, {http.MethodGet, "/nothing", http.StatusNotFound}} {
		response, body := request(t, h, c.method, c.path)
		if response.StatusCode != c.status || response.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, c.path) {
			t.Errorf("%s %s: %d %s", c.method, c.path, response.StatusCode, body)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(response.Header.Get("Content-Security-Policy"), "frame-ancestors") {
			t.Errorf("%s: headers %v", c.path, response.Header)
		}
	}
	if response, _ := request(t, h, http.MethodHead, "/livez"); response.StatusCode != http.StatusOK {
		t.Errorf("HEAD /livez: %d", response.StatusCode)
	}
}

func TestTakenAddressNamesTheSetting(t *testing.T) {
	h, c := door(t, time.Hour)
	c.Addr = h.Addr()
	_, err := NewHTTP(t.Context(), c)
	if err == nil || !Taken(err) || model.ClassOf(err) != model.Misconfigured || !strings.Contains(err.Error(), "HTTP_ADDR") {
		t.Errorf("error is %v", err)
	}
}

func TestHTTPThatNeverRanReleasesItsPort(t *testing.T) {
	c := HTTPConfig{Addr: "127.0.0.1:0", Metrics: NewMetrics("g", "test").Gatherer(), Log: zerolog.Nop()}
	h, err := NewHTTP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Addr = h.Addr()
	again, err := NewHTTP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
