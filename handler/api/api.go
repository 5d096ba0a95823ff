// Package api is the management API: what people, programs and the dashboard ask of the service over HTTP and tell it to
// do. It translates between HTTP and the parts that it meets through small ports, and decides nothing about events. What
// it answers is described by openapi.yaml, and a test holds the two together.
package api

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/problem"
)

// Prefix is where the API lies.
const Prefix = "/api/"

// answerTimeout is what one answer may take, long ones aside.
const answerTimeout = 10 * time.Second

// Config is what the API is made of.
type Config struct {
	Guard     *guard.Guard
	Insights  Insights
	Letters   Letters
	Changes   Changes
	Contents  Contents
	Replayer  Replayer
	Source    Source
	Control   Control
	Pipelines Pipelines
	Compiler  Compiler
	Topics    Topics
	Pictures  Pictures
	Rates     Rates
	// DeadLetterTopic is where the ids of dead letters count.
	DeadLetterTopic string
	Log             zerolog.Logger
}

// API answers requests below Prefix. It is safe for concurrent use.
type API struct {
	Config
	live    *live
	tables  *shared
	heavy   chan struct{} // a place for each request that keeps a processor busy
	listing chan struct{} // the same for those that keep the store busy: one that hangs does not keep others from explaining
	routes  map[string][]route
	mux     *http.ServeMux
	failed, // what could not be answered, for the log
	barred zerolog.Logger // who asks too often, apart from that: whoever guesses tokens hides nothing else
}

// route is one thing that can be asked for.
type route struct {
	method, path string
	need         guard.Need
	timeout      time.Duration // 0: answerTimeout; negative: none
	serve        func(http.ResponseWriter, *http.Request) error
}

// maxHeavy is how many requests may keep a processor busy at a time, maxListing the store.
const maxHeavy, maxListing = 2, 2

// seldom is a log that tells of so many things a minute and leaves out the rest.
func seldom(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 10, Period: time.Minute})
}

// New makes the API. Close ends its streams.
func New(c Config) *API {
	a := &API{Config: c, tables: newShared(), heavy: make(chan struct{}, maxHeavy), listing: make(chan struct{}, maxListing), routes: map[string][]route{}, mux: http.NewServeMux()}
	a.live = newLive(a)
	a.failed, a.barred = seldom(c.Log), seldom(c.Log)
	for _, r := range a.list() {
		a.routes[r.path] = append(a.routes[r.path], r)
	}
	for path, list := range a.routes {
		a.mux.Handle(path, a.dispatch(path, list))
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, problem.Missing("nothing is at "+r.URL.Path+"; "+Prefix+"openapi.yaml lists what there is"))
	})
	return a
}

func (a *API) list() []route {
	return []route{
		{method: http.MethodGet, path: "/api/openapi.yaml", need: guard.Access, serve: openAPI},
		{method: http.MethodGet, path: "/api/v1/session", serve: a.session},
		{method: http.MethodPost, path: "/api/v1/login", serve: a.login},
		{method: http.MethodPost, path: "/api/v1/logout", serve: a.logout},
		{method: http.MethodGet, path: "/api/v1/status", need: guard.Access, serve: a.status},
		{method: http.MethodGet, path: "/api/v1/pipeline", need: guard.Access, serve: a.pipeline},
		{method: http.MethodGet, path: "/api/v1/insights", need: guard.Access, serve: a.insights},
		{method: http.MethodGet, path: "/api/v1/insights/groups", need: guard.Access, serve: a.groups},
		{method: http.MethodGet, path: "/api/v1/anomalies", need: guard.Access, serve: a.anomalies},
		{method: http.MethodGet, path: "/api/v1/dead-letters", need: guard.Access, serve: a.deadLetters},
		{method: http.MethodGet, path: "/api/v1/dead-letters/counts", need: guard.Access, serve: a.deadLetterCounts},
		{method: http.MethodGet, path: "/api/v1/dead-letters/{id}", need: guard.Read, serve: a.deadLetter},
		{method: http.MethodPost, path: "/api/v1/dead-letters/replay", need: guard.Change, timeout: replayTimeout, serve: a.replay},
		{method: http.MethodPost, path: "/api/v1/pause", need: guard.Change, serve: a.pause},
		{method: http.MethodPost, path: "/api/v1/resume", need: guard.Change, serve: a.resume},
		{method: http.MethodPost, path: "/api/v1/reload", need: guard.Change, timeout: reloadTimeout, serve: a.reload},
		{method: http.MethodPost, path: "/api/v1/try", need: guard.Read, serve: a.try},
		{method: http.MethodGet, path: "/api/v1/explain", need: guard.Read, serve: a.explain},
		{method: http.MethodGet, path: "/api/v1/live", need: guard.Access, timeout: -1, serve: a.stream},
	}
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Close ends the streams with a goodbye and takes no new ones.
func (a *API) Close() { a.live.close() }

// dispatch picks the route of a path by method.
func (a *API) dispatch(path string, list []route) http.Handler {
	var allowed []string
	for _, r := range list {
		allowed = append(allowed, r.method)
		if r.method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		i := slices.IndexFunc(list, func(known route) bool { return known.method == method })
		if i < 0 {
			problem.WriteMethod(w, path, allowed...)
			return
		}
		a.serve(w, r, list[i])
	})
}

// serve is the way of one request: rights, time, answer.
func (a *API) serve(w http.ResponseWriter, r *http.Request, known route) {
	defer a.recovered(w, r)
	if _, err := a.Guard.Check(r, known.need); err != nil {
		a.fail(w, r, err)
		return
	}
	if known.timeout >= 0 {
		limit := known.timeout
		if limit == 0 {
			limit = answerTimeout
		} else { // longer than the server's own, and then some for the answer itself
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + answerTimeout))
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		r = r.WithContext(ctx)
	}
	err := known.serve(w, r)
	if err != nil {
		a.fail(w, r, err)
	}
	if known.need == guard.Change {
		a.Log.Info().Str("path", known.path).Str("peer", r.RemoteAddr).Bool("done", err == nil).Msg("asked for over HTTP")
	}
}

// recovered answers for a request that met a mistake of ours. The others go on.
func (a *API) recovered(w http.ResponseWriter, r *http.Request) {
	why := recover()
	if why == nil {
		return
	}
	a.Log.Error().Str("path", r.URL.Path).Str("panic", fmt.Sprint(why)).Bytes("stack", debug.Stack()).Msg("a request met a mistake in the service")
	problem.Write(w, &problem.Document{Status: http.StatusInternalServerError, Type: problem.Internal, Title: "A mistake in the service", Detail: "the log says more"})
}
