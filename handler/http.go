package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/problem"
	"data-stream-engine/model"
)

const (
	// maxBody bounds a request's body.
	maxBody = 1 << 20
	// maxConnections bounds how many peers are served at a time, so that they never take the files that Kafka needs.
	maxConnections = 1024
	// maxOfPeer is how many of them one address may take, so that a probe finds a place beside it. A proxy is one address.
	maxOfPeer = maxConnections / 2
	// certificateEvery is how often the certificate's files are looked at.
	certificateEvery = 10 * time.Second
	// apiPrefix is where the API is mounted: no page of another origin reads there.
	apiPrefix = "/api/"
)

// HTTPConfig is what the HTTP door needs.
type HTTPConfig struct {
	Addr        string        // host:port; port 0 takes a free one
	MaxIdle     time.Duration // no progress for this long: /livez fails
	Readiness   *Readiness
	Progress    *Progress
	Metrics     prometheus.Gatherer
	Guard       *guard.Guard
	Certificate *guard.Certificate // nil: no TLS
	Log         zerolog.Logger
}

// HTTP is the door for operators and machines that watch: /livez, /readyz, /metrics, and what is mounted beside them.
type HTTP struct {
	config   HTTPConfig
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux
	root     http.Handler // what nothing else is mounted for
	summary  func() Summary
	stop     context.CancelFunc // of what goes on beside the server
	beside   context.Context
}

// Summary says in words how the service is.
type Summary struct {
	Level  model.Level `json:"level"`
	Title  string      `json:"title"`
	Reason string      `json:"reason"`
}

// NewHTTP listens, so that an address that is taken is known before anything else starts; Run serves.
func NewHTTP(ctx context.Context, c HTTPConfig) (*HTTP, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, &model.Error{Class: model.Misconfigured, Op: "listen on HTTP_ADDR", Subject: c.Addr, Err: err,
			Hint: "set HTTP_ADDR to an address of this machine with a free port, for example 127.0.0.1:0"}
	}
	h := &HTTP{config: c, listener: atMost(listener, maxConnections, maxOfPeer), mux: http.NewServeMux(), root: http.HandlerFunc(nothing)}
	h.beside, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.server = &http.Server{
		Handler:           h.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(c.Log.With().Str("part", "http").Logger(), "", 0),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
	}
	if c.Certificate != nil {
		h.server.TLSConfig = c.Certificate.Config()
	}
	return h, nil
}

// Taken tells whether err says that another process listens there already.
func Taken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// Addr is the address that it listens on.
func (h *HTTP) Addr() string { return h.listener.Addr().String() }

// Mount adds what lies at a pattern of http.ServeMux, before Run.
func (h *HTTP) Mount(pattern string, next http.Handler) { h.mux.Handle(pattern, next) }

// Page puts a page at the root, before Run. What is no part of it stays nothing.
func (h *HTTP) Page(page func(next http.Handler) (http.Handler, error)) error {
	root, err := page(h.root)
	if err == nil {
		h.root = root
	}
	return err
}

// Tell makes /readyz say in words how the service is, from before Run on.
func (h *HTTP) Tell(summary func() Summary) { h.summary = summary }

// OnClose is called when Close begins: for answers that would go on for ever.
func (h *HTTP) OnClose(f func()) { h.server.RegisterOnShutdown(f) }

// Run serves until Close.
func (h *HTTP) Run() error {
	var err error
	if c := h.config.Certificate; c != nil {
		go c.Watch(h.beside, certificateEvery, h.certificate)
		err = h.server.ServeTLS(h.listener, "", "")
	} else {
		err = h.server.Serve(h.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", h.Addr(), err)
	}
	return nil
}

// certificate tells the log what became of a certificate whose files have changed.
func (h *HTTP) certificate(err error) {
	if err != nil {
		h.config.Log.Error().Err(err).Time("expires", h.config.Certificate.Expiry()).
			Msg("HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE have changed and cannot be used: the certificate from before stays")
		return
	}
	h.config.Log.Info().Time("expires", h.config.Certificate.Expiry()).Msg("the new certificate is in use")
}

// Close lets running requests end until ctx does, then cuts them off. That is no error: who asks for a profile of a minute
// cannot make a stop fail.
func (h *HTTP) Close(ctx context.Context) error {
	h.stop()
	err := h.server.Shutdown(ctx)
	_ = h.listener.Close() // when Run was never called
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		return fmt.Errorf("end HTTP: %w", err)
	}
	h.config.Log.Warn().Msg("HTTP requests that had not ended are cut off")
	return h.server.Close()
}

func (h *HTTP) handler() http.Handler {
	h.mux.Handle("/livez", get(h.livez))
	h.mux.Handle("/readyz", get(h.readyz))
	gatherer := h.config.Metrics
	if c := h.config.Certificate; c != nil {
		gatherer = prometheus.Gatherers{gatherer, expiry(c)}
	}
	metrics := promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second, EnableOpenMetrics: true})
	h.mux.Handle("/metrics", get(metrics.ServeHTTP))
	h.mux.Handle("/debug/pprof/", h.profiles())
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.root.ServeHTTP(w, r) })
	return http.MaxBytesHandler(guard.Headers(exact(guard.SameOrigin(h.mux, apiPrefix, refuse))), maxBody)
}

// expiry is the metric of a certificate.
func expiry(c *guard.Certificate) prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stream_engine_http_certificate_expiry_seconds",
		Help: "When the certificate of the HTTP door ends, in seconds since 1970."}, func() float64 { return float64(c.Expiry().Unix()) }))
	return r
}

// exact takes paths as they are: one that would have to be cleaned first - //, /../ - is none of ours.
func exact(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; path.Clean(p) != p && path.Clean(p)+"/" != p || strings.Contains(p, `\`) {
			nothing(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func nothing(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, problem.Missing("there is nothing at "+strconv.QuoteToASCII(r.URL.Path)))
}

// get refuses every method but GET and HEAD.
func get(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			problem.WriteMethod(w, r.URL.Path, http.MethodGet, http.MethodHead)
			return
		}
		next(w, r)
	})
}

// refuse answers with what the guard says.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	why, ok := errors.AsType[*guard.Denied](err)
	if !ok {
		why = &guard.Denied{Status: http.StatusForbidden, Title: "Refused", Detail: err.Error()}
	}
	problem.Write(w, problem.Refused(why))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer is gone: nobody to tell
}
