// Package guard decides who may do what over HTTP: by the token, by the session of somebody who has logged in with it, or
// - as long as there is no token - by being on this machine. It knows requests and nothing of what they are about, and it
// never logs, answers or keeps the token itself.
package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Need is the right that a request needs.
type Need int

// The rights, each with those before it.
const (
	Nothing Need = iota // anybody may
	Access              // what the service makes and how it is: status, pipeline, insights
	Read                // the content of events, and every message that quotes it
	Change              // what changes something: pause, reload, replay
)

// Rights are what whoever sent a request may do.
type Rights struct {
	Access, Read, Change bool
}

// Have tells whether the rights are enough.
func (r Rights) Have(n Need) bool {
	switch n {
	case Access:
		return r.Access
	case Read:
		return r.Read
	case Change:
		return r.Change
	default:
		return true
	}
}

// all is what the token gives, and being on this machine without one.
func all() Rights { return Rights{Access: true, Read: true, Change: true} }

// Denied says why a request may not do what it wants. Its texts are for whoever asked.
type Denied struct {
	Status     int
	Title      string
	Detail     string
	RetryAfter time.Duration
}

func (d *Denied) Error() string { return d.Title + ": " + d.Detail }

// Guard is safe for concurrent use.
type Guard struct {
	guarded  bool     // there is a token
	token    [32]byte // its SHA-256
	sessions *sessions
	attempts attempts
}

// New makes the Guard of a service whose HTTP_TOKEN is token; empty: none.
func New(token string) (*Guard, error) {
	if token == "" {
		return &Guard{}, nil
	}
	s, err := newSessions(token)
	if err != nil {
		return nil, fmt.Errorf("derive keys from HTTP_TOKEN: %w", err)
	}
	return &Guard{guarded: true, token: sha256.Sum256([]byte(token)), sessions: s}, nil
}

// Guarded tells whether there is a token.
func (g *Guard) Guarded() bool { return g.guarded }

// Check gives the rights of a request. The error is a *Denied when they are not enough.
func (g *Guard) Check(r *http.Request, n Need) (Rights, error) {
	rights, why := g.rights(r)
	if rights.Have(n) {
		return rights, nil
	}
	if why == nil {
		why = beyond(n)
	}
	return rights, why
}

func (g *Guard) rights(r *http.Request) (Rights, *Denied) {
	if !g.guarded {
		return unguarded(r)
	}
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := bearer(header)
		if !ok {
			return Rights{}, &Denied{Status: http.StatusUnauthorized, Title: "Needs the token", Detail: "Authorization has to be: Bearer, a blank, and the token of HTTP_TOKEN"}
		}
		if why := g.try(r, token); why != nil {
			return Rights{}, why
		}
		return all(), nil
	}
	if g.sessions.valid(r) {
		return all(), nil
	}
	return Rights{}, &Denied{Status: http.StatusUnauthorized, Title: "Needs the token",
		Detail: "send the header Authorization: Bearer with the token of HTTP_TOKEN, or log in on the page"}
}

// unguarded are the rights when there is no token. A name in Host that is not this machine's comes from a page whose name
// was made to point here (DNS rebinding); on this machine nobody else has a reason to use one.
func unguarded(r *http.Request) (Rights, *Denied) {
	switch {
	case Local(r):
		return all(), nil
	case fromLoopback(r) && !isLocalName(r.Host) && !isAddress(r.Host):
		return Rights{}, &Denied{Status: http.StatusForbidden, Title: "Not a name of this machine",
			Detail: "without HTTP_TOKEN the service answers requests from this machine only under localhost, 127.0.0.1 or [::1]; set HTTP_TOKEN to reach it under another name"}
	}
	return Rights{Access: true}, nil
}

func beyond(n Need) *Denied {
	what := "what changes the service is done"
	if n == Read {
		what = "the content of events is shown"
	}
	return &Denied{Status: http.StatusForbidden, Title: "Needs the token",
		Detail: what + " only with HTTP_TOKEN, or on the machine itself: from a loopback address, without a header of a proxy (Forwarded, X-Forwarded-*, X-Real-IP, Via), under localhost, 127.0.0.1 or [::1]"}
}

func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer") && strings.TrimSpace(token) != ""
}

// try compares a token, unless its sender has been wrong too often.
func (g *Guard) try(r *http.Request, token string) *Denied {
	given := sha256.Sum256([]byte(token))
	right, wait := g.attempts.try(r, given, func() bool { return subtle.ConstantTimeCompare(given[:], g.token[:]) == 1 })
	switch {
	case right:
		return nil
	case wait > 0:
		return &Denied{Status: http.StatusTooManyRequests, Title: "Too many wrong tokens", RetryAfter: wait,
			Detail: "they came from this address; the next one is looked at after the time in Retry-After"}
	}
	return &Denied{Status: http.StatusUnauthorized, Title: "Wrong token", Detail: "it is not the one of HTTP_TOKEN"}
}
