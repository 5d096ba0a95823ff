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
const insightColumns = `SELECT i.seq, i.group_id, i.key, i.kind, i.aggregate, i.definition, i.group_values, i.window_start, i.window_end, i.final, i.revision,
	i.updated_at, i.document, t.name, i.partition, i.source_offset FROM insights i JOIN topics t ON t.topic = i.topic `

// row is an insight and what it is found by.
type row struct {
	model.Insight
	seq, group int64
}

func scanRow(rows *sql.Rows) (r row, err error) {
	var group, document string
	in := &r.Insight
	err = rows.Scan(&r.seq, &r.group, &in.Key, &in.Kind, &in.Aggregate, &in.Definition, &group, moment{&in.Start}, moment{&in.End}, &in.Final, &in.Revision,
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
		p.at, p.seq, p.following = at, after[0], true
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
				page.Next = cursor(insightCursor, last.Start, last.seq)
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
	seq       int64
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
	q.text(insightColumns + "WHERE i.seq IN (SELECT seq FROM (")
	branches := 0
	branch := func(table string, write func()) {
		if branches++; branches > 1 {
			q.text(" UNION ALL ")
		}
		q.text("SELECT * FROM (")
		write()
		q.add(fmt.Sprintf(" ORDER BY %swindow_start DESC, %sseq DESC LIMIT %%s) AS b%d", table, table, branches), p.n)
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
	q.add(") AS found ORDER BY window_start DESC, seq DESC LIMIT %s) ORDER BY i.window_start DESC, i.seq DESC", p.n)
	return q, nil
}

// plain is a branch without a group.
func (p *paging) plain(q *query, kind model.InsightKind, final bool) {
	q.add("SELECT seq, window_start FROM insights WHERE kind = %s AND final = %s", string(kind), final)
	if p.Aggregate != "" {
		q.add(" AND aggregate = %s", p.Aggregate)
	}
	p.within(q, "")
}

// grouped is a branch that begins with the insights of one value of a group.
func (p *paging) grouped(q *query, aggregate string, first int64, names []string) {
	q.add("SELECT u.seq, u.window_start FROM insight_terms u CROSS JOIN insights i WHERE u.term = %s AND i.seq = u.seq", first)
	for _, name := range names {
		marks := make([]string, 0, 2)
		for _, t := range wanted(aggregate, name, p.Group[name]) {
			marks = append(marks, q.arg(t))
		}
		q.text(" AND EXISTS (SELECT 1 FROM insight_terms v WHERE v.term IN (" + strings.Join(marks, ", ") + ") AND v.window_start = u.window_start AND v.seq = u.seq)")
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
		q.add(" AND ("+table+"window_start, "+table+"seq) < (%s, %s)", p.at, p.seq)
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

// Points are the windows of the group that an anomaly is about, among n windows of its aggregate, the earliest first: some that
// follow its own, the others before.
func (s *Store) Points(ctx context.Context, anomaly model.Insight, n int) (points []model.Insight, err error) {
	of := series{anomaly.Aggregate, string(model.InsightWindow), anomaly.Definition}
	err = s.reading(ctx, "read the windows of a group", func(ctx context.Context, db *database) error {
		after, err := db.starts(ctx, of, "> %s ORDER BY window_start", anomaly.Start, n/4)
		if err != nil {
			return err
		}
		before, err := db.starts(ctx, of, "<= %s ORDER BY window_start DESC", anomaly.Start, n-len(after))
		if err != nil {
			return err
		}
		found, err := db.cells(ctx, of, []int64{groupID(&anomaly)}, append(before, after...))
		points = nil
		for _, r := range found {
			points = append(points, r.Insight)
		}
		return err
	})
	return points, err
}

// starts are those of some windows of a series.
func (d *database) starts(ctx context.Context, of series, which string, at time.Time, n int) (list []time.Time, err error) {
	q := d.query().add("SELECT DISTINCT window_start FROM windows WHERE aggregate = %s AND kind = %s AND definition = %s AND window_start "+which+" LIMIT %s",
		of.aggregate, of.kind, of.definition, at, n)
	rows, err := d.read.QueryContext(ctx, q.String(), q.args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var start time.Time
		err := rows.Scan(moment{&start})
		list = append(list, start)
		return err
	})
	return list, err
}

// cells are the insights of some groups in some windows, the earliest first.
func (d *database) cells(ctx context.Context, of series, groups []int64, starts []time.Time) (list []row, err error) {
	if len(groups) == 0 || len(starts) == 0 {
		return nil, nil
	}
	q := d.query().text(insightColumns + "WHERE i.window_start IN (")
	for i, at := range starts {
		q.text(comma(i) + q.arg(at))
	}
	q.text(") AND i.group_id IN (")
	for i, g := range groups {
		q.text(comma(i) + q.arg(g))
	}
	rows, err := d.read.QueryContext(ctx, q.text(") ORDER BY i.window_start").String(), q.args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		// Not a part of the question: the database would take an index of it for the better one.
		if err == nil && string(r.Kind) == of.kind && r.Aggregate == of.aggregate && r.Definition == of.definition {
			list = append(list, r)
		}
		return err
	})
	return list, err
}

func comma(i int) string {
	if i > 0 {
		return ", "
	}
	return ""
}
