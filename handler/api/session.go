package api

import (
	"net/http"

	"data-stream-engine/handler/guard"
)

// session says what whoever asks may do.
type session struct {
	MayChange bool `json:"may_change"`
	MayRead   bool `json:"may_read"` // the content of events
	Login     bool `json:"login"`    // there is a token: something to log in with, and out
}

func (a *API) sessionOf(r guard.Rights) session {
	return session{MayChange: r.Change, MayRead: r.Read, Login: a.Guard.Guarded()}
}

// session answers everybody, since a page has to know whether to ask for the token.
func (a *API) session(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	rights, _ := a.Guard.Check(r, guard.Nothing)
	return answer(w, a.sessionOf(rights))
}

func (a *API) login(w http.ResponseWriter, r *http.Request) error {
	var token string
	if err := body(w, r, map[string]any{"token": &token}); err != nil {
		return err
	}
	if token == "" {
		return wrong(mistake{"token", "is missing"})
	}
	if err := a.Guard.LogIn(w, r, token); err != nil {
		return err
	}
	return answer(w, session{MayChange: true, MayRead: true, Login: true})
}

// logout ends a session. Whoever has none is logged out as well.
func (a *API) logout(w http.ResponseWriter, r *http.Request) error {
	if err := body(w, r, nil); err != nil {
		return err
	}
	a.Guard.LogOut(w, r)
	rights, _ := a.Guard.Check(r, guard.Nothing)
	return answer(w, a.sessionOf(rights))
}
