package api

import (
	"fmt"
	"net/http"
	"time"

	"data-stream-engine/handler/problem"
	"data-stream-engine/model"
)

func (a *API) status(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	return answer(w, a.Pictures.Status())
}

func (a *API) pipeline(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	return answer(w, a.Pictures.Pipeline())
}

// control is the answer to a wish.
type control struct {
	Control *model.Pause `json:"control"` // null: the group is to go on
}

// reloadTimeout is what a reload may take: new topics have to be there, and what is under way has to end.
const reloadTimeout = 40 * time.Second

// maxReason is how many characters a reason may have.
const maxReason = 500

func (a *API) pause(w http.ResponseWriter, r *http.Request) error {
	var reason string
	if err := body(w, r, map[string]any{"reason": &reason}); err != nil {
		return err
	}
	if len([]rune(reason)) > maxReason {
		return wrong(mistake{"reason", fmt.Sprintf("has more than %d characters", maxReason)})
	}
	pause, err := a.Control.Pause(r.Context(), problem.Shown(reason))
	if err != nil {
		return err
	}
	return answer(w, control{pause})
}

func (a *API) resume(w http.ResponseWriter, r *http.Request) error {
	if err := body(w, r, nil); err != nil {
		return err
	}
	if err := a.Control.Resume(r.Context()); err != nil {
		return err
	}
	return answer(w, control{})
}

func (a *API) reload(w http.ResponseWriter, r *http.Request) error {
	if err := body(w, r, nil); err != nil {
		return err
	}
	reloaded, err := a.Pipelines.Reload(r.Context())
	if err != nil {
		return err
	}
	if reloaded.Changed == nil {
		reloaded.Changed = []model.Difference{}
	}
	return answer(w, reloaded)
}
