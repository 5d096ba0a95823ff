package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
)

// The most windows of a group, and the most cells, that a table has.
const (
	maxWindows = 240
	maxCells   = 24_000
)

// series is what a table of groups is about: the latest definition of an aggregate.
type series struct {
	aggregate, kind, definition string
}

// slot is one window of a series.
type slot struct {
	start   time.Time
	changes int64 // grows with every change
}

// Groups is a table of the groups of an aggregate in its last windows: see model.GroupQuery. Of sessions, which share no
// windows, it looks at the latest 10,000.
func (s *Store) Groups(ctx context.Context, ask model.GroupQuery) (table model.GroupTable, err error) {
	ask.Windows = min(max(ask.Windows, 1), maxWindows)
	ask.Limit = min(limit(ask.Limit), maxCells/ask.Windows)
	err = s.reading(ctx, "read groups", func(ctx context.Context, db *database) error {
		of, err := db.latest(ctx, ask.Aggregate)
		if err != nil || of.kind == "" {
			return err
		}
		order, err := db.ordering(ctx, of, ask.Window)
		if err != nil {
			return err
		}
		at, err := s.tables.get(ctx, db, of, order, ask.Window.IsZero())
		if err != nil {
			return err
		}
		table = model.GroupTable{Window: at.start}
		picked, matched := s.tables.pick(at, ask)
		table.Groups, table.Matched = int64(len(at.groups)), int64(matched)
		table.Rows, err = db.rows(ctx, of, ask, at, picked)
		return err
	})
	if err != nil {
		return model.GroupTable{}, err
	}
	return table, nil
}

// latest is the series of an aggregate that has the latest window; without a kind there is none.
func (d *database) latest(ctx context.Context, aggregate string) (found series, err error) {
	var newest time.Time
	for _, kind := range []model.InsightKind{model.InsightWindow, model.InsightSession} {
		q := d.query().add("SELECT definition, window_start FROM windows WHERE aggregate = %s AND kind = %s ORDER BY window_start DESC, definition DESC LIMIT 1",
			aggregate, string(kind))
		var definition string
		var start time.Time
		err := d.read.QueryRowContext(ctx, q.String(), q.args...).Scan(&definition, moment{&start})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return found, err
		}
		if found.kind == "" || start.After(newest) {
			found, newest = series{aggregate, string(kind), definition}, start
		}
	}
	return found, nil
}

// ordering is the window by which groups are put in order: the one that was asked for, or the latest whole one. Sessions have
// one slot for all.
func (d *database) ordering(ctx context.Context, of series, asked time.Time) (slot, error) {
	q := d.query()
	where := "FROM windows WHERE aggregate = %s AND kind = %s AND definition = %s "
	if of.kind == string(model.InsightSession) {
		q.add("SELECT 0, CAST(coalesce(sum(changes), 0) AS BIGINT) "+where, of.aggregate, of.kind, of.definition)
		var s slot
		var none any
		err := d.read.QueryRowContext(ctx, q.String(), q.args...).Scan(&none, &s.changes)
		return s, err
	}
	q.add("SELECT window_start, CAST(sum(changes) AS BIGINT) "+where, of.aggregate, of.kind, of.definition)
	switch {
	case !asked.IsZero():
		q.add("AND window_start = %s GROUP BY window_start", asked)
	default:
		q.add("AND window_end <= %s GROUP BY window_start ORDER BY window_start DESC LIMIT 1", time.Now())
	}
	s, err := d.slot(ctx, q)
	if !errors.Is(err, sql.ErrNoRows) {
		return s, err
	}
	if !asked.IsZero() {
		return slot{start: asked}, nil
	}
	q = d.query().add("SELECT window_start, CAST(sum(changes) AS BIGINT) "+where+"GROUP BY window_start ORDER BY window_start LIMIT 1", of.aggregate, of.kind, of.definition)
	if s, err = d.slot(ctx, q); errors.Is(err, sql.ErrNoRows) { // deleted a moment ago
		return slot{}, nil
	}
	return s, err
}

func (d *database) slot(ctx context.Context, q *query) (s slot, err error) {
	err = d.read.QueryRowContext(ctx, q.String(), q.args...).Scan(moment{&s.start}, &s.changes)
	return s, err
}

// rows are the windows of groups, in the order of the groups: the latest ones, or, when the one that was asked for is older
// than these, those up to it.
func (d *database) rows(ctx context.Context, of series, ask model.GroupQuery, at *standing, groups []int64) ([]model.GroupRow, error) {
	var found []row
	var err error
	if of.kind == string(model.InsightSession) {
		found, err = d.sessions(ctx, at.sessions(groups, ask.Windows))
	} else {
		var starts []time.Time
		starts, err = d.starts(ctx, of, "<= %s ORDER BY window_start DESC", time.UnixMilli(lastMoment), ask.Windows)
		if n := len(starts); err == nil && n > 0 && !ask.Window.IsZero() && ask.Window.Before(starts[n-1]) {
			starts, err = d.starts(ctx, of, "<= %s ORDER BY window_start DESC", ask.Window, ask.Windows)
		}
		if err == nil {
			found, err = d.cells(ctx, of, groups, starts)
		}
	}
	byGroup := make(map[int64][]model.Insight, len(groups))
	for i := range found {
		byGroup[found[i].group] = append(byGroup[found[i].group], found[i].Insight)
	}
	var table []model.GroupRow
	for _, g := range groups {
		if list := byGroup[g]; len(list) > 0 {
			table = append(table, model.GroupRow{Group: list[0].Group, Windows: list})
		}
	}
	return table, err
}

// sessions are insights by their place in the table, the earliest first.
func (d *database) sessions(ctx context.Context, places []int64) (list []row, err error) {
	if len(places) == 0 {
		return nil, nil
	}
	q := d.query().text(insightColumns + "WHERE i.seq IN (")
	for i, n := range places {
		q.text(comma(i) + q.arg(n))
	}
	rows, err := d.read.QueryContext(ctx, q.text(") ORDER BY i.window_start, i.window_end").String(), q.args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		list = append(list, r)
		return err
	})
	return list, err
}

// searched are the words of a search, in lower case.
func searched(text string) []string { return slices.Compact(strings.Fields(strings.ToLower(text))) }
