package store

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// query is a statement in the making. Values only ever get into it as arguments.
type query struct {
	db   *database
	so   strings.Builder
	args []any
}

func (d *database) query() *query { return &query{db: d} }

// arg adds a value and returns what stands for it.
func (q *query) arg(v any) string {
	if t, ok := v.(time.Time); ok {
		v = q.db.at(t)
	}
	q.args = append(q.args, v)
	mark := "?"
	if q.db.kind == PostgreSQL {
		mark = "$"
	}
	return mark + strconv.Itoa(len(q.args))
}

// add appends text, in which each %s stands for a value.
func (q *query) add(text string, values ...any) *query {
	marks := make([]any, len(values))
	for i, v := range values {
		marks[i] = q.arg(v)
	}
	return q.text(fmt.Sprintf(text, marks...))
}

// text appends what is no value of anybody's.
func (q *query) text(text string) *query {
	_, _ = q.so.WriteString(text)
	return q
}

func (q *query) String() string { return q.so.String() }

// moment reads a time of either database.
type moment struct{ to *time.Time }

// Scan is sql.Scanner.
func (m moment) Scan(v any) error {
	switch v := v.(type) {
	case int64:
		*m.to = time.UnixMilli(v).UTC()
	case time.Time:
		*m.to = v.UTC()
	case nil:
		*m.to = time.Time{}
	default:
		return fmt.Errorf("a time is a %T", v)
	}
	return nil
}

// each shows the rows of an answer to see.
func each(rows *sql.Rows, err error, see func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := see(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
