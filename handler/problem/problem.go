// Package problem is how the HTTP door says no: as problem documents (RFC 9457). It knows nothing of what was asked for, and
// decides nothing.
package problem

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"data-stream-engine/handler/guard"
)

// The types of problems. They name what happened, and lead nowhere.
const (
	Request     = "urn:stream-engine:problem:request"
	Denied      = "urn:stream-engine:problem:denied"
	TooMany     = "urn:stream-engine:problem:too-many"
	NotFound    = "urn:stream-engine:problem:not-found"
	Method      = "urn:stream-engine:problem:method"
	Conflict    = "urn:stream-engine:problem:conflict"
	Deleted     = "urn:stream-engine:problem:deleted"
	TooLarge    = "urn:stream-engine:problem:too-large"
	MediaType   = "urn:stream-engine:problem:media-type"
	Pipeline    = "urn:stream-engine:problem:pipeline"
	Unavailable = "urn:stream-engine:problem:unavailable"
	Internal    = "urn:stream-engine:problem:internal"
)

// Document is an answer that is not what was asked for.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Errors any    `json:"errors,omitempty"` // of parameters, members of the body, or lines of a pipeline file; can be encoded

	RetryAfter time.Duration `json:"-"` // how soon to ask again; 0: that is of no use
}

func (d *Document) Error() string { return d.Title + ": " + d.Detail }

// Missing says that nothing is there.
func Missing(detail string) *Document {
	return &Document{Status: http.StatusNotFound, Type: NotFound, Title: "Not found", Detail: detail}
}

// Refused is what the guard says.
func Refused(why *guard.Denied) *Document {
	d := &Document{Status: why.Status, Type: Denied, Title: why.Title, Detail: why.Detail, RetryAfter: why.RetryAfter}
	switch why.Status {
	case http.StatusConflict:
		d.Type = Conflict
	case http.StatusTooManyRequests:
		d.Type = TooMany
	}
	return d
}

// WriteMethod answers that a path takes other methods: the allowed ones.
func WriteMethod(w http.ResponseWriter, path string, allowed ...string) {
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	Write(w, &Document{Status: http.StatusMethodNotAllowed, Type: Method, Title: "Not this method", Detail: path + " takes " + list})
}

// Write answers with a problem. Its texts are shown as text, whatever is in them.
func Write(w http.ResponseWriter, p *Document) {
	d := *p
	d.Title, d.Detail = Shown(d.Title), Shown(d.Detail)
	body, _ := json.Marshal(d)
	h := w.Header()
	if d.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="data-stream-engine"`)
	}
	if d.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.RetryAfter.Seconds()))))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(d.Status)
	_, _ = w.Write(append(body, '\n')) // the peer is gone: nobody to tell
}

// Shown is a text with nothing in it that a terminal or a reader would obey instead of showing.
func Shown(s string) string {
	const most = 4 << 10
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, s)
}
