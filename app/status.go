package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"data-stream-engine/model"
)

// groupStatus is what /api/v1/status answers, as far as it is shown.
type groupStatus struct {
	Level     model.Level       `json:"level"`
	Title     string            `json:"title"`
	Reason    string            `json:"reason"`
	Since     time.Time         `json:"since"`
	Pipeline  string            `json:"pipeline"`
	Group     string            `json:"group"`
	Replica   string            `json:"replica"`
	Version   string            `json:"version"`
	Delivery  string            `json:"delivery"`
	Control   *model.Pause      `json:"control"`
	Instances []statusOfReplica `json:"instances"`
	Storage   *struct {
		Kind   string  `json:"kind"`
		OK     bool    `json:"ok"`
		Reason *string `json:"reason"`
	} `json:"storage"`
}

type statusOfReplica struct {
	Instance   string      `json:"instance"`
	State      string      `json:"state"`
	Partitions []int32     `json:"partitions"`
	Rates      model.Rates `json:"rates"`
	AgeSeconds float64     `json:"age_seconds"`
	Alive      bool        `json:"alive"`
}

// errNotWell ends status with exit code 1, so that a script can go by it.
var errNotWell = errors.New("the service does not do its work")

// status tells how the group does, as the instance that is asked sees it.
func status(ctx context.Context, p Process) error {
	set := newFlags("status")
	flags := newClientFlags(set)
	if err := p.flags(set, 0); err != nil {
		return err
	}
	c, err := flags.client(p)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	err = limited(ctx, answerTimeout, func(ctx context.Context) error { return c.get(ctx, "/api/v1/status", nil, &raw) })
	if err != nil {
		return err
	}
	var s groupStatus
	if err := c.show(raw, &s, func() { s.text(p.Stdout, time.Now()) }); err != nil {
		return err
	}
	if c.json {
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
	}
	if s.Level == model.LevelBad {
		return errNotWell
	}
	return nil
}

func (s *groupStatus) text(w io.Writer, now time.Time) {
	say(w, "%s (%s), since %s\n%s\n\n", s.Title, s.Level, ago(now, s.Since), s.Reason)
	say(w, "pipeline %s, group %s, %s, %s, version %s\n", s.Pipeline, s.Group, s.Replica, s.Delivery, s.Version)
	if s.Storage != nil && !s.Storage.OK && s.Storage.Reason != nil {
		say(w, "storage (%s): %s\n", s.Storage.Kind, *s.Storage.Reason)
	}
	say(w, "\n")
	rows := [][]string{{"INSTANCE", "STATE", "PARTITIONS", "IN/S", "OUT/S", "DEAD/S", "LAG", "P99", "HEARD"}}
	for i := range s.Instances {
		rows = append(rows, s.Instances[i].row())
	}
	for _, line := range columns(rows) {
		say(w, "%s\n", strings.TrimRight(line, " "))
	}
}

func (i *statusOfReplica) row() []string {
	state := i.State
	if !i.Alive {
		state = "gone?"
	}
	return []string{
		i.Instance, state, partitionList(i.Partitions), perSecond(i.Rates.In), perSecond(i.Rates.Forwarded), perSecond(i.Rates.DeadLetter),
		unknownOr(i.Rates.Lag, func(n int64) string { return fmt.Sprint(n) }),
		unknownOr(i.Rates.P99, func(s float64) string {
			return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
		}),
		time.Duration(i.AgeSeconds*float64(time.Second)).Round(time.Second).String() + " ago",
	}
}

func perSecond(x float64) string {
	if x > 0 && x < 10 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// unknownOr shows a number that may not be known.
func unknownOr[T any](x *T, text func(T) string) string {
	if x == nil {
		return "-"
	}
	return text(*x)
}

// partitionList is ascending numbers as ranges: 0-3,7.
func partitionList(list []int32) string {
	if len(list) == 0 {
		return "none"
	}
	var parts []string
	for i := 0; i < len(list); {
		k := i
		for k+1 < len(list) && list[k+1] == list[k]+1 {
			k++
		}
		text := fmt.Sprint(list[i])
		if k > i {
			text += fmt.Sprintf("-%d", list[k])
		}
		parts, i = append(parts, text), k+1
	}
	return short(strings.Join(parts, ","))
}

// ago is a time as a person says it, with the time of day for what is long ago.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
