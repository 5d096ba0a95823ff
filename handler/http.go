package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

// maxBody bounds a request's body; nothing served here needs one.
const maxBody = 1 << 20

// HTTPConfig is what the HTTP door needs.
type HTTPConfig struct {
	Addr      string        // host:port; port 0 takes a free one
	MaxIdle   time.Duration // no progress for this long: /livez fails
	Readiness *Readiness
	Progress  *Progress
	Metrics   prometheus.Gatherer
	Log       zerolog.Logger
}

// HTTP is the door for operators and machines that watch: /livez, /readyz, /metrics.
type HTTP struct {
	config   HTTPConfig
	listener net.Listener
	server   *http.Server
}

// NewHTTP listens, so that an address that is taken is known before anything else starts; Run serves.
func NewHTTP(ctx context.Context, c HTTPConfig) (*HTTP, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, &model.Error{Class: model.Misconfigured, Op: "listen on HTTP_ADDR", Subject: c.Addr, Err: err,
			Hint: "set HTTP_ADDR to an address of this machine with a free port, for example 127.0.0.1:0"}
	}
	h := &HTTP{config: c, listener: listener}
	h.server = &http.Server{
		Handler:           h.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(c.Log.With().Str("part", "http").Logger(), "", 0),
	}
	return h, nil
}

// Taken tells whether err says that another process listens there already.
func Taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// Addr is the address that it listens on.
func (h *HTTP) Addr() string { return h.listener.Addr().String() }

// Run serves until Close.
func (h *HTTP) Run() error {
	if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", h.Addr(), err)
	}
	return nil
}

// Close lets running requests end until ctx does, then cuts them off.
func (h *HTTP) Close(ctx context.Context) error {
	err := h.server.Shutdown(ctx)
	_ = h.listener.Close() // when Run was never called
	if err != nil {
		return errors.Join(fmt.Errorf("end HTTP: %w", err), h.server.Close())
	}
	return nil
}

func (h *HTTP) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/livez", get(h.livez))
	mux.Handle("/readyz", get(h.readyz))
	metrics := promhttp.HandlerFor(h.config.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second, EnableOpenMetrics: true})
	mux.Handle("/metrics", get(metrics.ServeHTTP))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
	})
	return http.MaxBytesHandler(secure(http.NewCrossOriginProtection().Handler(mux)), maxBody)
}

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
	writeJSON(w, "application/json", status, answer)
}

func (h *HTTP) readyz(w http.ResponseWriter, _ *http.Request) {
	report := h.config.Readiness.Report()
	status := http.StatusOK
	if !report.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, "application/json", status, report)
}

// get refuses every method but GET and HEAD.
func get(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, r.Method+" is not allowed on "+r.URL.Path)
			return
		}
		next(w, r)
	})
}

// secure sets the headers that keep an answer from being read as something else or shown inside another page.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// problem answers with a problem document (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, "application/problem+json", status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer is gone: nobody to tell
}
