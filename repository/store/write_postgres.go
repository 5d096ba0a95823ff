package store

import (
	"context"
	"database/sql"
	"time"

	"data-stream-engine/model"
)

// postgresBulk writes all rows of a kind in one statement: each way to the server and back would cost more than the row.
type postgresBulk struct{ tx *sql.Tx }

func column[T, V any](list []T, value func(T) V) []V {
	values := make([]V, len(list))
	for i, x := range list {
		values[i] = value(x)
	}
	return values
}

func (b *postgresBulk) insights(ctx context.Context, list []*entry) (added []*entry, err error) {
	byID := make(map[int64]*entry, len(list))
	for _, e := range list {
		byID[e.id] = e
	}
	if len(byID) < len(list) { // two keys with one id, which is not to be expected: one after the other
		return b.oneByOne(ctx, list)
	}
	rows, err := b.tx.QueryContext(ctx, `INSERT INTO insights AS i (id, key, kind, aggregate, definition, group_id, group_values, window_start, window_end, final, revision,
			updated_at, document, topic, partition, source_offset)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::boolean[],
			$11::bigint[], $12::timestamptz[], $13::text[], $14::integer[], $15::integer[], $16::bigint[])
		ON CONFLICT (window_start, id) DO UPDATE SET final = excluded.final, revision = excluded.revision, updated_at = excluded.updated_at, document = excluded.document,
			topic = excluded.topic, partition = excluded.partition, source_offset = excluded.source_offset
		WHERE i.key = excluded.key AND (i.topic <> excluded.topic OR i.partition <> excluded.partition OR i.source_offset < excluded.source_offset)
		RETURNING i.id, i.seq, i.xmax = 0`,
		column(list, func(e *entry) int64 { return e.id }), column(list, func(e *entry) string { return e.Key }), column(list, func(e *entry) string { return string(e.Kind) }),
		column(list, func(e *entry) string { return e.Aggregate }), column(list, func(e *entry) string { return e.Definition }), column(list, func(e *entry) int64 { return e.group }),
		column(list, func(e *entry) string { return storable(string(e.Group)) }), column(list, func(e *entry) time.Time { return whole(e.Start) }),
		column(list, func(e *entry) time.Time { return whole(e.End) }), column(list, func(e *entry) bool { return e.Final }), column(list, func(e *entry) int64 { return e.Revision }),
		column(list, func(e *entry) time.Time { return whole(e.UpdatedAt) }), column(list, func(e *entry) string { return storable(string(e.Document)) }),
		column(list, func(e *entry) int32 { return int32(e.topic) }), column(list, func(e *entry) int32 { return e.At.Partition }), column(list, func(e *entry) int64 { return e.At.Offset }))
	err = each(rows, err, func(rows *sql.Rows) error {
		var id, seq int64
		var fresh bool
		if err := rows.Scan(&id, &seq, &fresh); err != nil {
			return err
		}
		if e := byID[id]; e != nil && fresh {
			e.seq = seq
			added = append(added, e)
		}
		return nil
	})
	return added, err
}

func (b *postgresBulk) oneByOne(ctx context.Context, list []*entry) (added []*entry, err error) {
	for i := range list {
		fresh, err := b.insights(ctx, list[i:i+1])
		if err != nil {
			return nil, err
		}
		added = append(added, fresh...)
	}
	return added, nil
}

func (b *postgresBulk) remove(ctx context.Context, list []*entry) (removed []*entry, err error) {
	rows, err := b.tx.QueryContext(ctx, `DELETE FROM insights i USING unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::bigint[], $6::timestamptz[]) AS u (id, key, topic, partition, source_offset, window_start)
		WHERE i.window_start = u.window_start AND i.id = u.id AND i.key = u.key AND (i.topic <> u.topic OR i.partition <> u.partition OR i.source_offset < u.source_offset)
		RETURNING i.seq, i.kind, i.aggregate, i.definition, i.group_values, i.window_start, i.window_end, i.updated_at, i.topic, i.partition`,
		column(list, func(e *entry) int64 { return e.id }), column(list, func(e *entry) string { return e.Key }), column(list, func(e *entry) int32 { return int32(e.topic) }),
		column(list, func(e *entry) int32 { return e.At.Partition }), column(list, func(e *entry) int64 { return e.At.Offset }),
		column(list, func(e *entry) time.Time { return whole(e.Start) }))
	err = each(rows, err, func(rows *sql.Rows) error {
		e := &entry{}
		var group string
		err := rows.Scan(&e.seq, &e.Kind, &e.Aggregate, &e.Definition, &group, moment{&e.Start}, moment{&e.End}, moment{&e.UpdatedAt}, &e.topic, &e.At.Partition)
		e.Group = []byte(group)
		removed = append(removed, e)
		return err
	})
	return removed, err
}

func (b *postgresBulk) terms(ctx context.Context, list []*entry, add bool) error {
	var found, places []int64
	var starts []time.Time
	for _, e := range list {
		for _, t := range terms(e.Aggregate, e.Group) {
			found, starts, places = append(found, t), append(starts, whole(e.Start)), append(places, e.seq)
		}
	}
	if len(found) == 0 {
		return nil
	}
	text := "INSERT INTO insight_terms (term, window_start, seq) SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) ON CONFLICT DO NOTHING"
	if !add {
		text = `DELETE FROM insight_terms t USING unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) AS u (term, window_start, seq)
			WHERE t.term = u.term AND t.window_start = u.window_start AND t.seq = u.seq`
	}
	_, err := b.tx.ExecContext(ctx, text, found, starts, places)
	return err
}

func (b *postgresBulk) windows(ctx context.Context, list []*window) error {
	_, err := b.tx.ExecContext(ctx, `INSERT INTO windows AS w (aggregate, kind, definition, window_start, topic, partition, window_end, updated_at, changes)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::integer[], $7::timestamptz[], $8::timestamptz[], $9::bigint[])
		ON CONFLICT (aggregate, kind, definition, window_start, topic, partition) DO UPDATE SET
		changes = w.changes + excluded.changes, updated_at = greatest(w.updated_at, excluded.updated_at), window_end = greatest(w.window_end, excluded.window_end)`,
		column(list, func(x *window) string { return x.aggregate }), column(list, func(x *window) string { return x.kind }), column(list, func(x *window) string { return x.definition }),
		column(list, func(x *window) time.Time { return whole(x.start) }), column(list, func(x *window) int32 { return int32(x.topic) }),
		column(list, func(x *window) int32 { return x.partition }), column(list, func(x *window) time.Time { return whole(x.end) }),
		column(list, func(x *window) time.Time { return whole(x.updated) }), column(list, func(x *window) int64 { return x.changes }))
	return err
}

func (b *postgresBulk) letters(ctx context.Context, topic int64, list []*model.DeadLetter) error {
	_, err := b.tx.ExecContext(ctx, `INSERT INTO dead_letters (topic, partition, letter_offset, stage, code, reason, source_topic, source_partition, source_offset, last_offset,
			failed_at, truncated, bytes, replays, late_for)
		SELECT $1::integer, * FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::bigint[], $10::bigint[], $11::timestamptz[],
			$12::integer[], $13::bigint[], $14::integer[], $15::text[]) ON CONFLICT DO NOTHING`,
		topic, column(list, func(l *model.DeadLetter) int32 { return l.At.Partition }), column(list, func(l *model.DeadLetter) int64 { return l.At.Offset }),
		column(list, func(l *model.DeadLetter) string { return storable(string(l.Stage)) }), column(list, func(l *model.DeadLetter) string { return storable(l.Code) }),
		column(list, func(l *model.DeadLetter) string { return storable(l.Reason) }), column(list, func(l *model.DeadLetter) string { return storable(l.Source.Topic) }),
		column(list, func(l *model.DeadLetter) int32 { return l.Source.Partition }), column(list, func(l *model.DeadLetter) int64 { return l.Source.Offset }),
		column(list, func(l *model.DeadLetter) int64 { return l.LastInSet }), column(list, func(l *model.DeadLetter) time.Time { return whole(l.FailedAt) }),
		column(list, func(l *model.DeadLetter) int32 { return int32(l.Truncated) }), column(list, func(l *model.DeadLetter) int64 { return int64(l.Bytes) }),
		column(list, func(l *model.DeadLetter) int32 { return int32(l.Replays) }), column(list, missed))
	return err
}
