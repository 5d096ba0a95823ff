package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"time"

	"data-stream-engine/model"
)

// chunk is how many rows one transaction deletes: few enough for others not to notice.
const chunk = 500

// retentionLock lets one replica at a time delete, so that they do not wait for each other's rows crosswise.
const retentionLock = migrationLock + 1

// deleting runs f in a transaction in which nobody else deletes.
func (s *Store) deleting(ctx context.Context, db *database, f func(context.Context, *writer) error) error {
	return s.write(ctx, db, func(ctx context.Context, w *writer) error {
		if db.kind == PostgreSQL {
			if _, err := w.tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(retentionLock)); err != nil {
				return err
			}
		}
		return f(ctx, w)
	})
}

// Retain deletes some of what was written before the retention, and tells whether there is more. What is written says when it
// was: the time of the failure of a dead letter, updated_at of an insight.
func (s *Store) Retain(ctx context.Context, now time.Time) (more bool, err error) {
	const op = "delete what is old"
	db, err := s.use(op)
	if err != nil {
		return false, err
	}
	if err := s.present(db); err != nil {
		return false, err
	}
	cutoff := now.Add(-s.cfg.Retention)
	more, err = s.retain(ctx, db, cutoff, now)
	return more, s.failed(db, op, err)
}

// present finds out that somebody has deleted SQLite's file. Writing would go on, to a file that nobody sees.
func (s *Store) present(db *database) error {
	if db.kind != SQLite {
		return nil
	}
	if _, err := os.Stat(s.address.path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.abandon(db, &model.Error{Class: model.Transient, Op: "look for the storage", Subject: s.address.name, Err: errors.New("the file was deleted: a new one is filled from the topics")})
}

func (s *Store) retain(ctx context.Context, db *database, cutoff, now time.Time) (more bool, err error) {
	old, found, err := db.oldWindow(ctx, cutoff)
	if err != nil {
		return false, err
	}
	if found {
		where := db.query()
		where.add("i.aggregate = %s AND i.kind = %s AND i.final IN (%s, %s) AND i.window_start >= %s AND i.window_start < %s AND i.definition = %s AND i.topic = %s AND i.partition = %s AND i.updated_at < %s",
			old.aggregate, old.kind, false, true, old.start, old.until(), old.definition, old.topic, old.partition, cutoff)
		n, err := s.removeSome(ctx, db, where.String(), where.args...)
		if err != nil {
			return false, err
		}
		if n < chunk {
			err = s.write(ctx, db, func(ctx context.Context, w *writer) error {
				_, err := w.exec(ctx, `DELETE FROM windows WHERE aggregate = %s AND kind = %s AND definition = %s AND window_start = %s AND topic = %s AND partition = %s AND updated_at < %s`,
					old.aggregate, old.kind, old.definition, old.start, old.topic, old.partition, cutoff)
				return err
			})
		}
		return true, err
	}
	where := db.query()
	where.add("failed_at < %s", cutoff)
	n, err := s.removeLetters(ctx, db, where.String(), where.args...)
	if err != nil || n == chunk {
		return n == chunk, err
	}
	return false, s.write(ctx, db, func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, "DELETE FROM dead_letter_rates WHERE slot < %s", slotOf(now)-rateSteps-1)
		return err
	})
}

// until is where a slot of the table of windows ends: sessions are kept by the hour.
func (x *window) until() time.Time {
	if x.kind == string(model.InsightSession) {
		return x.start.Add(time.Hour)
	}
	return x.start.Add(time.Millisecond)
}

// oldWindow is a window of which nothing was written since the cutoff.
func (d *database) oldWindow(ctx context.Context, cutoff time.Time) (x window, found bool, err error) {
	q := d.query().add("SELECT aggregate, kind, definition, window_start, topic, partition FROM windows WHERE updated_at < %s LIMIT 1", cutoff)
	rows, err := d.read.QueryContext(ctx, q.String(), q.args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&x.aggregate, &x.kind, &x.definition, moment{&x.start}, &x.topic, &x.partition)
	})
	return x, found, err
}

// removeSome deletes a chunk of insights, with what they are found by.
func (s *Store) removeSome(ctx context.Context, db *database, where string, args ...any) (n int, err error) {
	err = s.deleting(ctx, db, func(ctx context.Context, w *writer) error {
		q := db.query()
		q.args = args
		q.text("SELECT i.seq, i.aggregate, i.group_values, i.window_start FROM insights i WHERE " + where)
		q.add(" LIMIT %s", chunk)
		if db.kind == PostgreSQL {
			q.text(" FOR UPDATE OF i") // one that is written meanwhile is looked at again
		}
		var list []*entry
		rows, err := w.tx.QueryContext(ctx, q.String(), q.args...)
		err = each(rows, err, func(rows *sql.Rows) error {
			e := &entry{}
			var group string
			err := rows.Scan(&e.seq, &e.Aggregate, &group, moment{&e.Start})
			e.Group = []byte(group)
			list = append(list, e)
			return err
		})
		if err != nil || len(list) == 0 {
			return err
		}
		if err := w.terms(ctx, list, false); err != nil {
			return err
		}
		n = len(list)
		q = db.query()
		q.text("DELETE FROM insights WHERE seq IN (")
		for i, e := range list {
			q.text(comma(i) + q.arg(e.seq))
		}
		q.text(")")
		_, err = w.tx.ExecContext(ctx, q.String(), q.args...)
		return err
	})
	return n, err
}

// removeLetters deletes a chunk of dead letters, and counts them off.
func (s *Store) removeLetters(ctx context.Context, db *database, where string, args ...any) (n int, err error) {
	type counted struct {
		topic     int64
		partition int32
		kind      model.DeadLetterKind
	}
	err = s.deleting(ctx, db, func(ctx context.Context, w *writer) error {
		q := db.query()
		q.args = args
		q.text("DELETE FROM dead_letters WHERE (topic, partition, letter_offset) IN (SELECT topic, partition, letter_offset FROM dead_letters WHERE " + where)
		q.add(" LIMIT %s) RETURNING topic, partition, stage, code", chunk)
		gone := map[counted]int64{}
		rows, err := w.tx.QueryContext(ctx, q.String(), q.args...)
		err = each(rows, err, func(rows *sql.Rows) error {
			var c counted
			err := rows.Scan(&c.topic, &c.partition, &c.kind.Stage, &c.kind.Code)
			gone[c]++
			n++
			return err
		})
		if err != nil {
			return err
		}
		for c, k := range gone {
			_, err := w.exec(ctx, "UPDATE dead_letter_totals SET letters = letters - %s WHERE topic = %s AND partition = %s AND stage = %s AND code = %s",
				k, c.topic, c.partition, string(c.kind.Stage), c.kind.Code)
			if err != nil {
				return err
			}
		}
		_, err = w.exec(ctx, "DELETE FROM dead_letter_totals WHERE letters <= 0")
		return err
	})
	return n, err
}
