package guard

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	sessionLength = 12 * time.Hour // at most; a browser forgets it when it is closed
	maxRevoked    = 10_000         // sessions that were logged out before their time, on this replica
)

// The parts of a session: when it ends, which one it is, and the proof that it was made with the token.
const (
	sessionEnd  = 8
	sessionID   = sessionEnd + 16
	sessionSize = sessionID + sha256.Size
)

// sessions are those of people who have logged in. A session is signed with a key that comes from the token, so that every
// replica with that token takes it, a restart ends none, and another token ends all. The token cannot be read from it.
type sessions struct {
	key  []byte
	name string // of the cookie; differs by token, since the services on all ports of a host share its cookies

	mu      sync.Mutex
	revoked map[string]time.Time // id: when it would have ended
}

func newSessions(token string) (*sessions, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "data-stream-engine session", sha256.Size)
	if err != nil {
		return nil, err
	}
	name, err := hkdf.Key(sha256.New, []byte(token), nil, "data-stream-engine cookie", 4)
	if err != nil {
		return nil, err
	}
	return &sessions{key: key, name: "stream-engine-" + hex.EncodeToString(name), revoked: map[string]time.Time{}}, nil
}

// LogIn answers the right token with a session. The error is a *Denied.
func (g *Guard) LogIn(w http.ResponseWriter, r *http.Request, token string) error {
	if !g.guarded {
		return &Denied{Status: http.StatusConflict, Title: "Nothing to log in to", Detail: "HTTP_TOKEN is not set: everybody has the rights that they have without"}
	}
	if why := g.try(r, token); why != nil {
		return why
	}
	http.SetCookie(w, g.sessions.cookie(encrypted(r), g.sessions.make(time.Now()), 0))
	return nil
}

// LogOut ends the sessions of a request, if it has any: a browser may have one with TLS and one without for the same host.
func (g *Guard) LogOut(w http.ResponseWriter, r *http.Request) {
	if !g.guarded {
		return
	}
	for _, s := range g.sessions.read(r) {
		g.sessions.revoke(s)
	}
	for _, secure := range []bool{true, false} {
		http.SetCookie(w, g.sessions.cookie(secure, "", -1))
	}
}

func (s *sessions) cookie(secure bool, value string, age int) *http.Cookie {
	//nolint:gosec // G124: without TLS a browser drops a cookie that is Secure
	return &http.Cookie{Name: s.cookieName(secure), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure}
}

// cookieName begins with __Host- where a browser takes that: then no other host can have set it.
func (s *sessions) cookieName(secure bool) string {
	if secure {
		return "__Host-" + s.name
	}
	return s.name
}

// encrypted tells whether the browser uses TLS, here or at a proxy. Who lies about it only loses the own cookie.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func (s *sessions) make(now time.Time) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(now.Add(sessionLength).Unix()))
	raw = append(raw, make([]byte, sessionID-sessionEnd)...)
	_, _ = rand.Read(raw[sessionEnd:sessionID]) // never fails
	return base64.RawURLEncoding.EncodeToString(append(raw, s.sign(raw)...))
}

func (s *sessions) sign(raw []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(raw)
	return mac.Sum(nil)
}

// session is one that a request carries.
type session struct {
	id  string
	end time.Time
}

// read gives the sessions that a request carries.
func (s *sessions) read(r *http.Request) (found []session) {
	for _, name := range []string{s.cookieName(true), s.cookieName(false)} {
		cookie, err := r.Cookie(name)
		if err != nil {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(cookie.Value)
		if err != nil || len(raw) != sessionSize || !hmac.Equal(raw[sessionID:], s.sign(raw[:sessionID])) {
			continue
		}
		found = append(found, session{string(raw[sessionEnd:sessionID]), time.Unix(int64(binary.BigEndian.Uint64(raw)), 0)})
	}
	return found
}

// valid tells whether one of them is.
func (s *sessions) valid(r *http.Request) bool {
	found := s.read(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(found, func(one session) bool {
		_, gone := s.revoked[one.id]
		return !gone && time.Now().Before(one.end)
	})
}

// revoke remembers a session until it would have ended anyway. Of too many the one that ends first is forgotten.
func (s *sessions) revoke(one session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := one.id
	for other, ends := range s.revoked {
		if !time.Now().Before(ends) {
			delete(s.revoked, other)
		} else if first == one.id || ends.Before(s.revoked[first]) {
			first = other
		}
	}
	if len(s.revoked) >= maxRevoked {
		delete(s.revoked, first)
	}
	s.revoked[one.id] = one.end
}
