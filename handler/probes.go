package handler

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"

	"data-stream-engine/handler/guard"
)

// livez never asks the broker: an instance that waits for one is alive, and a restart would not help it.
func (h *HTTP) livez(w http.ResponseWriter, _ *http.Request) {
	age := h.config.Progress.Age()
	answer := map[string]any{"alive": true, "last_progress_seconds": age.Seconds()}
	status := http.StatusOK
	if age > h.config.MaxIdle {
		status = http.StatusServiceUnavailable
		answer["alive"] = false
		answer["reason"] = fmt.Sprintf("no progress for %s, longer than MAX_POLL_INTERVAL=%s", age.Round(time.Millisecond), h.config.MaxIdle)
	}
	writeJSON(w, status, answer)
}

// readyz is for machines, by its status, and for people: the summary says the same as the dashboard.
func (h *HTTP) readyz(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Report
		*Summary
	}{Report: h.config.Readiness.Report()}
	if h.summary != nil {
		s := h.summary()
		answer.Summary = &s
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

// profiles are Go's own profiles, for somebody on this machine: memory holds events, and a profile costs time.
func (h *HTTP) profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", nothing) // a command line may hold what nobody should see
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return get(func(w http.ResponseWriter, r *http.Request) {
		if !guard.Local(r) {
			refuse(w, r, &guard.Denied{Status: http.StatusForbidden, Title: "Only on this machine", Detail: "profiles are for loopback addresses, without a proxy"})
			return
		}
		if _, err := h.config.Guard.Check(r, guard.Read); err != nil {
			refuse(w, r, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
