package app

import (
	"context"
	"encoding/json"

	"data-stream-engine/model"
)

// pause makes the whole group stand still.
func pause(ctx context.Context, p Process) error {
	set := newFlags("pause")
	flags := newClientFlags(set)
	reason := set.String("reason", "", "why, for everybody who looks at the group")
	p.Args = flagsFirst(p.Args, "reason", "url")
	if err := p.flags(set, 0); err != nil {
		return err
	}
	return p.control(ctx, flags, "/api/v1/pause", map[string]string{"reason": *reason})
}

// resume lets it go on.
func resume(ctx context.Context, p Process) error {
	set := newFlags("resume")
	flags := newClientFlags(set)
	if err := p.flags(set, 0); err != nil {
		return err
	}
	return p.control(ctx, flags, "/api/v1/resume", struct{}{})
}

// control asks for one of the two, and says how things are now.
func (p Process) control(ctx context.Context, flags clientFlags, path string, body any) error {
	c, err := flags.client(p)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	err = limited(ctx, answerTimeout, func(ctx context.Context) error { return c.post(ctx, path, body, nil, &raw) })
	if err != nil {
		return err
	}
	var answer struct {
		Control *model.Pause `json:"control"`
	}
	return c.show(raw, &answer, func() {
		if answer.Control == nil {
			say(p.Stdout, "the group reads again, from where it stopped\n")
			return
		}
		say(p.Stdout, "the whole group stands still, also after restarts, until somebody resumes it; nothing is lost\n")
		if answer.Control.Reason != "" {
			say(p.Stdout, "reason: %s\n", answer.Control.Reason)
		}
	})
}
