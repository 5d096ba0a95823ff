package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"data-stream-engine/handler/guard"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Problem is an answer that is not what was asked for (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Errors any    `json:"errors,omitempty"` // of parameters, members of the body, or lines of a pipeline file

	retry time.Duration
}

// The types of problems. They name what happened, and lead nowhere.
const (
	typeRequest     = "urn:stream-engine:problem:request"
	typeDenied      = "urn:stream-engine:problem:denied"
	typeTooMany     = "urn:stream-engine:problem:too-many"
	typeNotFound    = "urn:stream-engine:problem:not-found"
	typeMethod      = "urn:stream-engine:problem:method"
	typeConflict    = "urn:stream-engine:problem:conflict"
	typeDeleted     = "urn:stream-engine:problem:deleted"
	typeTooLarge    = "urn:stream-engine:problem:too-large"
	typeMedia       = "urn:stream-engine:problem:media-type"
	typePipeline    = "urn:stream-engine:problem:pipeline"
	typeUnavailable = "urn:stream-engine:problem:unavailable"
	typeInternal    = "urn:stream-engine:problem:internal"
)

// retryAfter is how soon to ask again for what is away.
const retryAfter = 5 * time.Second

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// mistake is one thing that is wrong with a request.
type mistake struct {
	Name    string `json:"name"` // of the parameter or the member
	Message string `json:"message"`
}

// wrong is a request that cannot be understood.
func wrong(mistakes ...mistake) *Problem {
	lines := make([]string, len(mistakes))
	for i, m := range mistakes {
		lines[i] = m.Name + ": " + m.Message
	}
	return &Problem{Status: http.StatusBadRequest, Type: typeRequest, Title: "Not a request that can be answered", Detail: strings.Join(lines, "; "), Errors: mistakes}
}

// unreadable is what is kept and cannot be made sense of: asking again is of no use.
func unreadable(what string, err error) *Problem {
	return &Problem{Status: http.StatusInternalServerError, Type: typeInternal, Title: "Cannot be read", Detail: what + ": " + err.Error()}
}

func notThere(detail string) *Problem {
	return &Problem{Status: http.StatusNotFound, Type: typeNotFound, Title: "Not found", Detail: detail}
}

// problemOf makes a problem of an error: of a port by its class, of the guard by what it says.
func problemOf(err error) *Problem {
	var p *Problem
	var denied *guard.Denied
	var faults service.Problems
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &denied):
		return deniedProblem(denied)
	case errors.As(err, &faults):
		return pipelineProblem(faults)
	case errors.Is(err, context.DeadlineExceeded):
		return &Problem{Status: http.StatusServiceUnavailable, Type: typeUnavailable, Title: "Took too long", Detail: err.Error(), retry: retryAfter}
	}
	return classProblem(err)
}

func classProblem(err error) *Problem {
	p := &Problem{Title: "Not a request that can be answered", Detail: err.Error()}
	if e, ok := errors.AsType[*model.Error](err); ok && e.Err != nil {
		p.Title, p.Detail = sentence(strings.TrimSpace(e.Op+" "+e.Subject)), e.Err.Error()
		if e.Hint != "" {
			p.Detail += " (" + e.Hint + ")"
		}
		if p.Title == "" {
			p.Title = "Not a request that can be answered"
		}
	}
	switch model.ClassOf(err) {
	case model.Misconfigured, model.Rejected:
		p.Status, p.Type = http.StatusBadRequest, typeRequest
	case model.NotFound:
		p.Status, p.Type = http.StatusNotFound, typeNotFound
	case model.Deleted, model.DataLost, model.Recreated:
		p.Status, p.Type = http.StatusGone, typeDeleted
	case model.Conflict:
		p.Status, p.Type = http.StatusConflict, typeConflict
	default: // it is away, or does not let us in: somebody is on it, or has to be
		p.Status, p.Type, p.retry = http.StatusServiceUnavailable, typeUnavailable, retryAfter
		p.Title, p.Detail = "Cannot be had now", err.Error()
	}
	return p
}

func deniedProblem(d *guard.Denied) *Problem {
	p := &Problem{Status: d.Status, Type: typeDenied, Title: d.Title, Detail: d.Detail, retry: d.RetryAfter}
	switch d.Status {
	case http.StatusConflict:
		p.Type = typeConflict
	case http.StatusTooManyRequests:
		p.Type = typeTooMany
	}
	return p
}

// fail answers with a problem, and tells the log what an operator has to know of.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there any more
	}
	switch p := problemOf(err); {
	case p.Status >= http.StatusInternalServerError:
		a.failed.Warn().Str("path", r.Pattern).Str("peer", r.RemoteAddr).Int("status", p.Status).Err(err).Msg("a request could not be answered")
	case p.Status == http.StatusTooManyRequests:
		a.barred.Warn().Str("path", r.Pattern).Str("peer", r.RemoteAddr).Int("status", p.Status).Err(err).Msg("a request was refused")
	}
	Refuse(w, r, err)
}

// Refuse answers with the problem that an error is.
func Refuse(w http.ResponseWriter, _ *http.Request, err error) {
	p := *problemOf(err)
	p.Title, p.Detail = shown(p.Title), shown(p.Detail)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="data-stream-engine"`)
	}
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retry.Seconds()))))
	}
	_ = writeJSON(w, "application/problem+json", p.Status, p) // texts can be encoded
}

// shown is a text with nothing in it that a terminal or a reader would obey instead of showing.
func shown(s string) string {
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

// sentence is a phrase with a capital.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// fault is one thing that is wrong with a pipeline file.
type fault struct {
	Line    int     `json:"line"`
	Column  int     `json:"column"`
	Length  int     `json:"length"` // of the word at that place, in characters
	Message string  `json:"message"`
	Hint    *string `json:"hint"`
	Source  string  `json:"source"` // the line of the file
}

func pipelineProblem(ps service.Problems) *Problem {
	list := make([]fault, 0, min(len(ps), service.MaxShown))
	for _, p := range ps[:min(len(ps), service.MaxShown)] {
		list = append(list, fault{Line: p.At.Line, Column: p.At.Column, Length: wordAt(p.Line, p.At.Column), Message: shown(p.Message), Source: shown(p.Line)})
	}
	detail := "nothing was changed; the first of its faults: " + list[0].Message
	if len(ps) > 1 {
		detail = fmt.Sprintf("nothing was changed; %d faults, the first: %s", len(ps), list[0].Message)
	}
	return &Problem{Status: http.StatusUnprocessableEntity, Type: typePipeline, Title: "The pipeline file has faults", Detail: detail, Errors: list}
}

// wordAt is how many characters the word at a column of a line has, 1 at least.
func wordAt(line string, column int) int {
	runes, n := []rune(line), 0
	for i := max(column-1, 0); i < len(runes); i++ {
		if c := runes[i]; !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_.-$", c) {
			break
		}
		n++
	}
	return max(n, 1)
}
