package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"data-stream-engine/model"
)

// statements are those that SQLite runs for each row, compiled once. They run without a deadline of their own, which would
// cost a goroutine a row: the transaction has one.
type statements struct {
	same, update, insert, remove *sql.Stmt
	addTerm, removeTerm          *sql.Stmt
	window, letter               *sql.Stmt
}

// newer holds a row against the place of a record: within a partition the later one wins.
const newer = " AND (topic <> ?5 OR partition <> ?6 OR source_offset < ?7)"

func (d *database) prepare(ctx context.Context) (err error) {
	if d.kind != SQLite {
		return nil
	}
	s := &statements{}
	compile := func(text string) *sql.Stmt {
		if err != nil {
			return nil
		}
		var stmt *sql.Stmt
		stmt, err = d.write.PrepareContext(ctx, text)
		return stmt
	}
	set := "UPDATE insights SET revision = ?3, updated_at = ?4, topic = ?5, partition = ?6, source_offset = ?7, document = ?8"
	// An index is written anew when a column of it is set, were it to the same value.
	s.same = compile(set + " WHERE window_start = ?10 AND id = ?1 AND key = ?2 AND final = ?9" + newer)
	s.update = compile(set + ", final = ?9 WHERE window_start = ?10 AND id = ?1 AND key = ?2" + newer)
	s.insert = compile(`INSERT INTO insights (id, key, revision, updated_at, topic, partition, source_offset, document, final, window_start, kind, aggregate, definition, group_id,
		group_values, window_end) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (window_start, id) DO NOTHING`)
	s.remove = compile(`DELETE FROM insights WHERE window_start = ?6 AND id = ?1 AND key = ?2 AND (topic <> ?3 OR partition <> ?4 OR source_offset < ?5)
		RETURNING seq, kind, aggregate, definition, group_values, window_start, window_end, updated_at, topic, partition`)
	s.addTerm = compile("INSERT INTO insight_terms (term, window_start, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
	s.removeTerm = compile("DELETE FROM insight_terms WHERE term = ?1 AND window_start = ?2 AND seq = ?3")
	s.window = compile(`INSERT INTO windows (aggregate, kind, definition, window_start, topic, partition, window_end, updated_at, changes)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (aggregate, kind, definition, window_start, topic, partition) DO UPDATE SET
		changes = windows.changes + excluded.changes, updated_at = max(windows.updated_at, excluded.updated_at), window_end = max(windows.window_end, excluded.window_end)`)
	s.letter = compile(`INSERT INTO dead_letters (topic, partition, letter_offset, stage, code, reason, source_topic, source_partition, source_offset, last_offset,
		failed_at, truncated, bytes, replays, late_for) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING`)
	d.hot = s
	return err
}

func (s *statements) close() {
	if s == nil {
		return
	}
	for _, stmt := range []*sql.Stmt{s.same, s.update, s.insert, s.remove, s.addTerm, s.removeTerm, s.window, s.letter} {
		if stmt != nil {
			_ = stmt.Close()
		}
	}
}

// sqliteBulk writes row by row: there is no way to the file that would be worth saving.
type sqliteBulk struct {
	*statements
	tx    *sql.Tx
	bound map[*sql.Stmt]*sql.Stmt // to the transaction
}

// in is a statement within the transaction.
func (b *sqliteBulk) in(ctx context.Context, stmt *sql.Stmt) *sql.Stmt {
	bound := b.bound[stmt]
	if bound == nil {
		bound = b.tx.StmtContext(ctx, stmt)
		b.bound[stmt] = bound
	}
	return bound
}

func (b *sqliteBulk) result(ctx context.Context, stmt *sql.Stmt, values ...any) (sql.Result, error) {
	return b.in(ctx, stmt).ExecContext(context.WithoutCancel(ctx), values...)
}

func (b *sqliteBulk) run(ctx context.Context, stmt *sql.Stmt, values ...any) (bool, error) {
	result, err := b.result(ctx, stmt, values...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func (b *sqliteBulk) insights(ctx context.Context, list []*entry) (added []*entry, err error) {
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fresh, err := b.insight(ctx, e)
		if err != nil {
			return nil, err
		}
		if fresh {
			added = append(added, e)
		}
	}
	return added, nil
}

// insight tries first what is most likely: the first revision is a new row.
func (b *sqliteBulk) insight(ctx context.Context, e *entry) (fresh bool, err error) {
	values := []any{e.id, e.Key, e.Revision, e.UpdatedAt.UnixMilli(), e.topic, e.At.Partition, e.At.Offset, storable(string(e.Document)), e.Final, e.Start.UnixMilli()}
	insert := func() (bool, error) {
		result, err := b.result(ctx, b.insert, append(values, string(e.Kind), e.Aggregate, e.Definition, e.group, storable(string(e.Group)), e.End.UnixMilli())...)
		if err != nil {
			return false, err
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return false, err
		}
		e.seq, err = result.LastInsertId()
		return true, err
	}
	if e.Revision <= 1 {
		if fresh, err := insert(); fresh || err != nil {
			return fresh, err
		}
	}
	for _, stmt := range []*sql.Stmt{b.same, b.update} {
		if done, err := b.run(ctx, stmt, values...); done || err != nil {
			return false, err
		}
	}
	if e.Revision <= 1 {
		return false, nil
	}
	return insert()
}

func (b *sqliteBulk) remove(ctx context.Context, list []*entry) (removed []*entry, err error) {
	stmt := b.in(ctx, b.statements.remove)
	for _, e := range list {
		var group string
		was := &entry{id: e.id}
		err := stmt.QueryRowContext(ctx, e.id, e.Key, e.topic, e.At.Partition, e.At.Offset, e.Start.UnixMilli()).Scan(&was.seq, &was.Kind, &was.Aggregate, &was.Definition, &group,
			moment{&was.Start}, moment{&was.End}, moment{&was.UpdatedAt}, &was.topic, &was.At.Partition)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		was.Group = []byte(group)
		removed = append(removed, was)
	}
	return removed, nil
}

func (b *sqliteBulk) terms(ctx context.Context, list []*entry, add bool) error {
	stmt := b.removeTerm
	if add {
		stmt = b.addTerm
	}
	for _, e := range list {
		for _, t := range terms(e.Aggregate, e.Group) {
			if _, err := b.run(ctx, stmt, t, e.Start.UnixMilli(), e.seq); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *sqliteBulk) windows(ctx context.Context, list []*window) error {
	for _, x := range list {
		_, err := b.run(ctx, b.window, x.aggregate, x.kind, x.definition, x.start.UnixMilli(), x.topic, x.partition, x.end.UnixMilli(), max(x.updated.UnixMilli(), 0), x.changes)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *sqliteBulk) letters(ctx context.Context, topic int64, list []*model.DeadLetter) error {
	for _, l := range list {
		_, err := b.run(ctx, b.letter, topic, l.At.Partition, l.At.Offset, storable(string(l.Stage)), storable(l.Code), storable(l.Reason), storable(l.Source.Topic),
			l.Source.Partition, l.Source.Offset, l.LastInSet, l.FailedAt.UnixMilli(), l.Truncated, l.Bytes, l.Replays, missed(l))
		if err != nil {
			return err
		}
	}
	return nil
}

// whole is a time in whole milliseconds.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
