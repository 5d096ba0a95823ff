package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"data-stream-engine/model"
)

// Positions is how far the partitions of topics have been recorded; those of which nothing is known are left out. What was
// recorded of earlier topics of these names is deleted first, since its offsets mean nothing any more.
func (s *Store) Positions(ctx context.Context, topics []model.TopicID) (map[model.TopicPartition]int64, error) {
	const op = "read what has been recorded"
	db, err := s.use(op)
	if err != nil {
		return nil, err
	}
	numbers := map[int64]string{}
	for _, t := range topics {
		number, err := s.introduce(ctx, db, t)
		if err != nil {
			return nil, s.failed(db, op, err)
		}
		numbers[number] = t.Name
	}
	if err := s.purge(ctx, db); err != nil {
		return nil, s.failed(db, "delete what was recorded of a topic that is gone", err)
	}
	found := map[model.TopicPartition]int64{}
	err = s.reading(ctx, op, func(ctx context.Context, db *database) error {
		rows, err := db.write.QueryContext(ctx, "SELECT topic, partition, next_offset FROM positions")
		return each(rows, err, func(rows *sql.Rows) error {
			var number, offset int64
			var partition int32
			if err := rows.Scan(&number, &partition, &offset); err != nil {
				return err
			}
			if name, ok := numbers[number]; ok {
				found[model.TopicPartition{Topic: name, Partition: partition}] = offset
			}
			return nil
		})
	})
	return found, err
}

// introduce makes a topic known, and declares earlier ones of its name to be gone. One that is gone does not come back: who
// names it has asked a broker that has not heard the news yet.
func (s *Store) introduce(ctx context.Context, db *database, t model.TopicID) (number int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	w := &writer{db: db, tx: tx}
	if _, err := w.exec(ctx, "INSERT INTO topics (name, topic_id) VALUES (%s, %s) ON CONFLICT (topic_id) DO NOTHING", t.Name, t.ID); err != nil {
		return 0, err
	}
	var gone bool
	q := db.query().add("SELECT topic, gone FROM topics WHERE topic_id = %s", t.ID)
	if err := tx.QueryRowContext(ctx, q.String(), q.args...).Scan(&number, &gone); err != nil {
		return 0, err
	}
	if gone {
		return 0, &model.Error{Class: model.Transient, Op: "record", Subject: t.Name, Err: errors.New("a broker still names the topic that was deleted")}
	}
	n, err := w.exec(ctx, "UPDATE topics SET gone = %s WHERE name = %s AND topic_id <> %s AND NOT gone", true, t.Name, t.ID)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		s.cfg.Log.Warn().Str("topic", t.Name).Msg("the topic was deleted and created again: what was recorded of it is deleted, and it is recorded from its beginning")
	}
	if _, err := w.exec(ctx, "DELETE FROM positions WHERE topic IN (SELECT topic FROM topics WHERE gone)"); err != nil {
		return 0, err
	}
	return number, tx.Commit()
}

// purge deletes the rows of topics that are gone, in bounded transactions.
func (s *Store) purge(ctx context.Context, db *database) error {
	const gone = "topic IN (SELECT topic FROM topics WHERE gone)"
	var left bool
	if err := db.write.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM topics WHERE gone AND purged_at IS NULL)").Scan(&left); err != nil || !left {
		return err
	}
	for {
		n, err := s.removeSome(ctx, db, "i."+gone)
		if err != nil {
			return err
		}
		m, err := s.removeLetters(ctx, db, gone)
		if err != nil {
			return err
		}
		if n+m == 0 {
			break
		}
	}
	return s.write(ctx, db, func(ctx context.Context, w *writer) error {
		for _, table := range []string{"windows", "dead_letter_totals", "dead_letter_rates"} {
			if _, err := w.exec(ctx, "DELETE FROM "+table+" WHERE "+gone); err != nil {
				return err
			}
		}
		_, err := w.exec(ctx, "UPDATE topics SET purged_at = %s WHERE gone AND purged_at IS NULL", time.Now())
		return err
	})
}

// write runs f in a transaction.
func (s *Store) write(ctx context.Context, db *database, f func(context.Context, *writer) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(ctx, s.writer(db, tx)); err != nil {
		return err
	}
	return tx.Commit()
}
