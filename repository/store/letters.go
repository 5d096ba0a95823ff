package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"data-stream-engine/model"
)

const letterColumns = `SELECT t.name, d.partition, d.letter_offset, d.stage, d.code, d.reason, d.source_topic, d.source_partition, d.source_offset, d.last_offset,
	d.failed_at, d.truncated, d.bytes, d.replays, d.late_for FROM dead_letters d JOIN topics t ON t.topic = d.topic `

func scanLetter(rows *sql.Rows) (l model.DeadLetter, err error) {
	var lateFor string
	err = rows.Scan(&l.At.Topic, &l.At.Partition, &l.At.Offset, &l.Stage, &l.Code, &l.Reason, &l.Source.Topic, &l.Source.Partition, &l.Source.Offset, &l.LastInSet,
		moment{&l.FailedAt}, &l.Truncated, &l.Bytes, &l.Replays, &lateFor)
	if err == nil && lateFor != "" {
		err = json.Unmarshal([]byte(lateFor), &l.LateFor)
	}
	return l, err
}

// DeadLetters is a page of dead letters, the latest first. An error of class Rejected is about the question.
func (s *Store) DeadLetters(ctx context.Context, ask model.DeadLetterQuery) (page model.DeadLetterPage, err error) {
	n := limit(ask.Limit)
	at, after, following, err := follow(letterCursor, ask.Cursor, 2)
	if err != nil {
		return page, err
	}
	err = s.reading(ctx, "read dead letters", func(ctx context.Context, db *database) error {
		q := db.query()
		q.text(letterColumns + "WHERE true")
		if ask.Code != "" {
			q.add(" AND d.code = %s", ask.Code)
		}
		if ask.Stage != "" {
			stage := "d.stage"
			if ask.Code != "" {
				stage = "+d.stage" // the index of codes is the better one
				if db.kind == PostgreSQL {
					stage = "d.stage"
				}
			}
			q.add(" AND "+stage+" = %s", string(ask.Stage))
		}
		if !ask.From.IsZero() {
			q.add(" AND d.failed_at >= %s", ask.From)
		}
		if !ask.To.IsZero() {
			q.add(" AND d.failed_at < %s", ask.To)
		}
		if following {
			q.add(" AND (d.failed_at, d.partition, d.letter_offset) < (%s, %s, %s)", at, after[0], after[1])
		}
		q.add(" ORDER BY d.failed_at DESC, d.partition DESC, d.letter_offset DESC LIMIT %s", n+1)
		rows, err := db.read.QueryContext(ctx, q.String(), q.args...)
		return each(rows, err, func(rows *sql.Rows) error {
			l, err := scanLetter(rows)
			if err != nil {
				return err
			}
			if len(page.Items) == n {
				last := page.Items[n-1]
				page.Next = cursor(letterCursor, last.FailedAt, int64(last.At.Partition), last.At.Offset)
				return nil
			}
			page.Items = append(page.Items, l)
			return nil
		})
	})
	if err != nil {
		return model.DeadLetterPage{}, err
	}
	return page, nil
}

// DeadLetter is one dead letter. A place of which the topic is empty is one of the only topic that there is.
func (s *Store) DeadLetter(ctx context.Context, at model.TopicOffset) (letter model.DeadLetter, found bool, err error) {
	err = s.reading(ctx, "read a dead letter", func(ctx context.Context, db *database) error {
		q := db.query()
		q.text(letterColumns)
		q.add("WHERE d.partition = %s AND d.letter_offset = %s AND NOT t.gone", at.Partition, at.Offset)
		if at.Topic != "" {
			q.add(" AND t.name = %s", at.Topic)
		}
		rows, err := db.read.QueryContext(ctx, q.String(), q.args...)
		return each(rows, err, func(rows *sql.Rows) (err error) {
			letter, err = scanLetter(rows)
			found = err == nil
			return err
		})
	})
	return letter, found, err
}

// The last quarter of an hour, in parts.
const (
	rateStep  = 30 * time.Second
	rateSteps = 30
)

// slotOf is the part of time that counts of dead letters are kept by.
func slotOf(t time.Time) int64 { return t.UnixMilli() / rateStep.Milliseconds() }

// DeadLetterCounts is how many dead letters of each kind are kept, the most frequent kind first.
func (s *Store) DeadLetterCounts(ctx context.Context, now time.Time) (counts []model.DeadLetterCount, err error) {
	err = s.reading(ctx, "count dead letters", func(ctx context.Context, db *database) error {
		counts = nil
		where := map[model.DeadLetterKind]int{}
		rows, err := db.read.QueryContext(ctx, `SELECT d.stage, d.code, CAST(sum(d.letters) AS BIGINT) AS n, max(d.last_at) FROM dead_letter_totals d JOIN topics t ON t.topic = d.topic
			WHERE NOT t.gone GROUP BY d.stage, d.code HAVING sum(d.letters) > 0 ORDER BY n DESC, d.stage, d.code LIMIT 1000`)
		err = each(rows, err, func(rows *sql.Rows) error {
			c := model.DeadLetterCount{Recent: make([]int64, rateSteps)}
			err := rows.Scan(&c.Stage, &c.Code, &c.Count, moment{&c.LastAt})
			where[c.DeadLetterKind] = len(counts)
			counts = append(counts, c)
			return err
		})
		if err != nil {
			return err
		}
		first := slotOf(now) - rateSteps + 1
		q := db.query().add(`SELECT d.slot, d.stage, d.code, CAST(sum(d.letters) AS BIGINT) FROM dead_letter_rates d JOIN topics t ON t.topic = d.topic
			WHERE NOT t.gone AND d.slot >= %s AND d.slot < %s GROUP BY d.slot, d.stage, d.code`, first, first+rateSteps)
		rows, err = db.read.QueryContext(ctx, q.String(), q.args...)
		return each(rows, err, func(rows *sql.Rows) error {
			var kind model.DeadLetterKind
			var slot, n int64
			if err := rows.Scan(&slot, &kind.Stage, &kind.Code, &n); err != nil {
				return err
			}
			if i, ok := where[kind]; ok {
				counts[i].Recent[slot-first] += n
			}
			return nil
		})
	})
	return counts, err
}
