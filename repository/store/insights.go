package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
)

// insightColumns are what row reads.
const insightColumns = `SELECT i.id, i.group_id, i.key, i.kind, i.aggregate, i.definition, i.group_values, i.window_start, i.window_end, i.final, i.revision,
	i.updated_at, i.document, t.name, i.partition, i.source_offset FROM insights i JOIN topics t ON t.topic = i.topic `

// row is an insight and what it is found by.
type row struct {
	model.Insight
	id, group int64
}

func scanRow(rows *sql.Rows) (r row, err error) {
	var group, document string
	in := &r.Insight
	err = rows.Scan(&r.id, &r.group, &in.Key, &in.Kind, &in.Aggregate, &in.Definition, &group, moment{&in.Start}, moment{&in.End}, &in.Final, &in.Revision,
		moment{&in.UpdatedAt}, &document, &in.At.Topic, &in.At.Partition, &in.At.Offset)
	in.Group, in.Document = []byte(group), []byte(document)
	return r, err
}

// Insights is a page of insights, the latest window first. An error of class Rejected is about the question.
func (s *Store) Insights(ctx context.Context, ask model.InsightQuery) (page model.InsightPage, err error) {
	n := limit(ask.Limit)
	at, after, following, err := follow(insightCursor, ask.Cursor, 1)
	if err != nil {
		return page, err
	}
	p := paging{InsightQuery: ask, n: n + 1}
	if following {
		p.at, p.id, p.following = at, after[0], true
	}
	err = s.reading(ctx, "read insights", func(ctx context.Context, db *database) error {
		q, err := p.build(ctx, db)
		if err != nil || q == nil {
			return err
		}
		var last row
		rows, err := db.read.QueryContext(ctx, q.String(), q.args...)
		return each(rows, err, func(rows *sql.Rows) error {
			r, err := scanRow(rows)
			if err != nil {
				return err
			}
			if len(page.Items) == n {
				page.Next = cursor(insightCursor, last.Start, last.id)
				return nil
			}
			page.Items, last = append(page.Items, r.Insight), r
			return nil
		})
	})
	if err != nil {
		return model.InsightPage{}, err
	}
	return page, nil
}

// paging is a page in the making.
type paging struct {
	model.InsightQuery
	n         int
	following bool
	at        time.Time
	id        int64
}

// build makes one statement of several, each of which reads the beginning of an index: one for every kind, open and final,
// and for every meaning of a group's value. It is nil when nothing can be found.
func (p *paging) build(ctx context.Context, db *database) (*query, error) {
	kinds := []model.InsightKind{model.InsightWindow, model.InsightSession, model.InsightAnomaly}
	if p.Kind != "" {
		kinds = []model.InsightKind{p.Kind}
	}
	finals := []bool{false, true}
	if p.Final != nil {
		finals = []bool{*p.Final}
	}
	q := db.query()
	q.text(insightColumns + "WHERE i.id IN (SELECT id FROM (")
	branches := 0
	branch := func(table string, write func()) {
		if branches++; branches > 1 {
			q.text(" UNION ALL ")
		}
		q.text("SELECT * FROM (")
		write()
		q.add(fmt.Sprintf(" ORDER BY %swindow_start DESC, %sid DESC LIMIT %%s) AS b%d", table, table, branches), p.n)
	}
	if len(p.Group) == 0 {
		for _, kind := range kinds {
			for _, final := range finals {
				branch("", func() { p.plain(q, kind, final) })
			}
		}
	} else {
		aggregates, err := p.aggregates(ctx, db)
		if err != nil || len(aggregates) == 0 {
			return nil, err
		}
		names := slices.Sorted(maps.Keys(p.Group))
		for _, a := range aggregates {
			for _, t := range wanted(a, names[0], p.Group[names[0]]) {
				branch("u.", func() { p.grouped(q, a, t, names[1:]) })
			}
		}
	}
	q.add(") AS found ORDER BY window_start DESC, id DESC LIMIT %s) ORDER BY i.window_start DESC, i.id DESC", p.n)
	return q, nil
}

// plain is a branch without a group.
func (p *paging) plain(q *query, kind model.InsightKind, final bool) {
	q.add("SELECT id, window_start FROM insights WHERE kind = %s AND final = %s", string(kind), final)
	if p.Aggregate != "" {
		q.add(" AND aggregate = %s", p.Aggregate)
	}
	p.within(q, "")
}

// grouped is a branch that begins with the insights of one value of a group.
func (p *paging) grouped(q *query, aggregate string, first int64, names []string) {
	q.add("SELECT u.id, u.window_start FROM insight_terms u CROSS JOIN insights i WHERE u.term = %s AND i.id = u.id", first)
	for _, name := range names {
		marks := make([]string, 0, 2)
		for _, t := range wanted(aggregate, name, p.Group[name]) {
			marks = append(marks, q.arg(t))
		}
		q.text(" AND EXISTS (SELECT 1 FROM insight_terms v WHERE v.term IN (" + strings.Join(marks, ", ") + ") AND v.window_start = u.window_start AND v.id = u.id)")
	}
	if p.Kind != "" {
		q.add(" AND i.kind = %s", string(p.Kind))
	}
	if p.Final != nil {
		q.add(" AND i.final = %s", *p.Final)
	}
	p.within(q, "u.")
}

func (p *paging) within(q *query, table string) {
	if !p.From.IsZero() {
		q.add(" AND "+table+"window_start >= %s", p.From)
	}
	if !p.To.IsZero() {
		q.add(" AND "+table+"window_start < %s", p.To)
	}
	if p.following {
		q.add(" AND ("+table+"window_start, "+table+"id) < (%s, %s)", p.at, p.id)
	}
}

// aggregates are those that the question is about.
func (p *paging) aggregates(ctx context.Context, db *database) (names []string, err error) {
	if p.Aggregate != "" {
		return []string{p.Aggregate}, nil
	}
	// The index is jumped through from name to name.
	rows, err := db.read.QueryContext(ctx, `WITH RECURSIVE names (name) AS (
		SELECT min(aggregate) FROM windows UNION ALL
		SELECT (SELECT min(aggregate) FROM windows WHERE aggregate > names.name) FROM names WHERE names.name IS NOT NULL)
		SELECT name FROM names WHERE name IS NOT NULL LIMIT 100`)
	err = each(rows, err, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}

// Points are n windows of the group that an anomaly is about, the earliest first: some that follow its own, the others before.
func (s *Store) Points(ctx context.Context, anomaly model.Insight, n int) (points []model.Insight, err error) {
	err = s.reading(ctx, "read the windows of a group", func(ctx context.Context, db *database) error {
		points = nil
		read := func(compare, order string, n int) error {
			q := db.query()
			q.text(insightColumns)
			q.add("WHERE i.group_id = %s AND i.kind = %s AND i.window_start "+compare+" %s ORDER BY i.window_start "+order+" LIMIT %s",
				groupID(&anomaly), string(model.InsightWindow), anomaly.Start, n)
			rows, err := db.read.QueryContext(ctx, q.String(), q.args...)
			return each(rows, err, func(rows *sql.Rows) error {
				r, err := scanRow(rows)
				points = append(points, r.Insight)
				return err
			})
		}
		if err := read(">", "ASC", n/4); err != nil {
			return err
		}
		return read("<=", "DESC", n-len(points))
	})
	slices.SortStableFunc(points, func(a, b model.Insight) int { return a.Start.Compare(b.Start) })
	return points, err
}
