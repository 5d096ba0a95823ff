package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/problem"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// retryAfter is how soon to ask again for what is away.
const retryAfter = 5 * time.Second

// mistake is one thing that is wrong with a request.
type mistake struct {
	Name    string `json:"name"` // of the parameter or the member
	Message string `json:"message"`
}

// wrong is a request that cannot be understood.
func wrong(mistakes ...mistake) *problem.Document {
	lines := make([]string, len(mistakes))
	for i, m := range mistakes {
		lines[i] = m.Name + ": " + m.Message
	}
	return &problem.Document{Status: http.StatusBadRequest, Type: problem.Request, Title: "Not a request that can be answered", Detail: strings.Join(lines, "; "), Errors: mistakes}
}

// unreadable is what is kept and cannot be made sense of: asking again is of no use.
func unreadable(what string, err error) *problem.Document {
	return &problem.Document{Status: http.StatusInternalServerError, Type: problem.Internal, Title: "Cannot be read", Detail: what + ": " + err.Error()}
}

// problemOf makes a problem of an error: of a port by its class, of the guard by what it says.
func problemOf(err error) *problem.Document {
	var p *problem.Document
	var denied *guard.Denied
	var faults service.Problems
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &denied):
		return problem.Refused(denied)
	case errors.As(err, &faults):
		return pipelineProblem(faults)
	case errors.Is(err, context.DeadlineExceeded):
		return &problem.Document{Status: http.StatusServiceUnavailable, Type: problem.Unavailable, Title: "Took too long", Detail: err.Error(), RetryAfter: retryAfter}
	}
	return classProblem(err)
}

func classProblem(err error) *problem.Document {
	p := &problem.Document{Title: "Not a request that can be answered", Detail: err.Error()}
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
		p.Status, p.Type = http.StatusBadRequest, problem.Request
	case model.NotFound:
		p.Status, p.Type = http.StatusNotFound, problem.NotFound
	case model.Deleted, model.DataLost, model.Recreated:
		p.Status, p.Type = http.StatusGone, problem.Deleted
	case model.Conflict:
		p.Status, p.Type = http.StatusConflict, problem.Conflict
	default: // it is away, or does not let us in: somebody is on it, or has to be
		p.Status, p.Type, p.RetryAfter = http.StatusServiceUnavailable, problem.Unavailable, retryAfter
		p.Title, p.Detail = "Cannot be had now", err.Error()
	}
	return p
}

// fail answers with a problem, and tells the log what an operator has to know of.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there any more
	}
	p := problemOf(err)
	switch {
	case p.Status >= http.StatusInternalServerError:
		a.failed.Warn().Str("path", r.Pattern).Str("peer", r.RemoteAddr).Int("status", p.Status).Err(err).Msg("a request could not be answered")
	case p.Status == http.StatusTooManyRequests:
		a.barred.Warn().Str("path", r.Pattern).Str("peer", r.RemoteAddr).Int("status", p.Status).Err(err).Msg("a request was refused")
	}
	problem.Write(w, p)
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

func pipelineProblem(ps service.Problems) *problem.Document {
	list := make([]fault, 0, min(len(ps), service.MaxShown))
	for _, p := range ps[:min(len(ps), service.MaxShown)] {
		list = append(list, fault{Line: p.At.Line, Column: p.At.Column, Length: wordAt(p.Line, p.At.Column), Message: problem.Shown(p.Message), Source: problem.Shown(p.Line)})
	}
	detail := "nothing was changed; the first of its faults: " + list[0].Message
	if len(ps) > 1 {
		detail = fmt.Sprintf("nothing was changed; %d faults, the first: %s", len(ps), list[0].Message)
	}
	return &problem.Document{Status: http.StatusUnprocessableEntity, Type: problem.Pipeline, Title: "The pipeline file has faults", Detail: detail, Errors: list}
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
