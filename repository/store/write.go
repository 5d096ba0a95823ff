package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"data-stream-engine/model"
)

// Write takes what was read of some partitions, and how far that was, in one transaction: all of it or nothing. It is refused
// with an error of class Fenced when the store does not stand where one of the parts begins: somebody else has recorded the
// partition meanwhile, or the topic is another one. Ask for the Positions again then. So the rows are always what the log says
// up to the position, whoever wrote them, and nobody who was delayed brings back what has been taken away.
func (s *Store) Write(ctx context.Context, parts []model.Recorded) error {
	const op = "record"
	db, err := s.use(op)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	// The same order everywhere, so that two who write do not wait for each other.
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b model.Recorded) int {
		if a.Topic.Name != b.Topic.Name {
			return compareText(a.Topic.Name, b.Topic.Name)
		}
		return int(a.Partition) - int(b.Partition)
	})
	marks, err := s.transact(ctx, db, parts)
	if err != nil {
		return s.failed(db, op, err)
	}
	s.own.Add(marks)
	return nil
}

func (s *Store) transact(ctx context.Context, db *database, parts []model.Recorded) (marks uint64, err error) {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	w := s.writer(db, tx)
	if err := s.owned(ctx, tx); err != nil {
		return 0, err
	}
	for i := range parts {
		n, err := w.part(ctx, &parts[i])
		if err != nil {
			return 0, err
		}
		marks += n
	}
	if err := w.finish(ctx); err != nil {
		return 0, err
	}
	return marks, tx.Commit()
}

// owned makes sure that the file has not become another group's.
func (s *Store) owned(ctx context.Context, tx *sql.Tx) error {
	var owner string
	if err := tx.QueryRowContext(ctx, "SELECT name FROM owner").Scan(&owner); err != nil {
		return err
	}
	if owner == s.cfg.Group {
		return nil
	}
	return s.mistaken(fmt.Sprintf("the group %q has taken it over, and this one is %q", owner, s.cfg.Group), "give each group a DATA_DIR or STORAGE_URL of its own")
}

// bulk writes many rows the way that suits a database.
type bulk interface {
	// insights writes those that are newer than what is there, and returns those that were not there at all.
	insights(ctx context.Context, list []*entry) (added []*entry, err error)
	// remove takes insights away, unless what is there is newer, and returns what was there.
	remove(ctx context.Context, list []*entry) (removed []*entry, err error)
	// terms adds what insights are found by, or takes it away.
	terms(ctx context.Context, list []*entry, add bool) error
	windows(ctx context.Context, list []*window) error
	letters(ctx context.Context, topic int64, list []*model.DeadLetter) error
}

// entry is an insight on its way into the table.
type entry struct {
	model.Insight
	id, group, topic int64
	seq              int64 // where it is in the table
}

// window is what has changed in a window.
type window struct {
	series
	start, end, updated time.Time
	topic               int64
	partition           int32
	changes             int64
}

type windowKey struct {
	series
	start     int64
	topic     int64
	partition int32
}

// writer is one transaction.
type writer struct {
	bulk
	db      *database
	tx      *sql.Tx
	cutoff  time.Time // what was written before is not kept
	now     time.Time
	changed map[windowKey]*window
}

func (s *Store) writer(db *database, tx *sql.Tx) *writer {
	now := time.Now()
	w := &writer{db: db, tx: tx, now: now, cutoff: now.Add(-s.cfg.Retention), changed: map[windowKey]*window{}}
	if db.kind == PostgreSQL {
		w.bulk = &postgresBulk{tx}
		return w
	}
	w.bulk = &sqliteBulk{statements: db.hot, tx: tx, bound: map[*sql.Stmt]*sql.Stmt{}}
	return w
}

func (w *writer) exec(ctx context.Context, text string, values ...any) (int64, error) {
	q := w.db.query().add(text, values...)
	result, err := w.tx.ExecContext(ctx, q.String(), q.args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// part writes what was read of one partition.
func (w *writer) part(ctx context.Context, p *model.Recorded) (marks uint64, err error) {
	topic, err := w.topic(ctx, p.Topic)
	if err != nil {
		return 0, err
	}
	put, take, anomalies := w.coalesce(p, topic)
	letters := w.letters(p)
	if anomalies || len(letters) > 0 {
		marks = 1
	}
	if err := w.advance(ctx, p, topic, marks); err != nil {
		return 0, err
	}
	if err := w.insights(ctx, put); err != nil {
		return 0, err
	}
	if err := w.remove(ctx, take); err != nil {
		return 0, err
	}
	if len(letters) == 0 {
		return marks, nil
	}
	if err := w.bulk.letters(ctx, topic, letters); err != nil {
		return 0, err
	}
	return marks, w.count(ctx, topic, p.Partition, letters)
}

// topic is the number of a topic, which nobody can declare to be gone before this transaction ends.
func (w *writer) topic(ctx context.Context, t model.TopicID) (number int64, err error) {
	q := w.db.query().add("SELECT topic FROM topics WHERE topic_id = %s AND NOT gone", t.ID)
	if w.db.kind == PostgreSQL {
		q.text(" FOR SHARE")
	}
	err = w.tx.QueryRowContext(ctx, q.String(), q.args...).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, moved(t.Name, "it was deleted and created again")
	}
	return number, err
}

// advance moves the position, which is what makes the rows right: it is where whoever else writes has to begin.
func (w *writer) advance(ctx context.Context, p *model.Recorded, topic int64, marks uint64) error {
	var n int64
	var err error
	if p.From == model.NothingRecorded {
		n, err = w.exec(ctx, "INSERT INTO positions (topic, partition, next_offset, marks) VALUES (%s, %s, %s, %s) ON CONFLICT (topic, partition) DO NOTHING",
			topic, p.Partition, p.To, int64(marks))
	} else {
		n, err = w.exec(ctx, "UPDATE positions SET next_offset = %s, marks = marks + %s WHERE topic = %s AND partition = %s AND next_offset = %s",
			p.To, int64(marks), topic, p.Partition, p.From)
	}
	if err == nil && n == 0 {
		err = moved(fmt.Sprintf("%s-%d", p.Topic.Name, p.Partition), "somebody else has recorded it meanwhile")
	}
	return err
}

func moved(subject, text string) error {
	return &model.Error{Class: model.Fenced, Op: "record", Subject: subject, Err: errors.New(text)}
}

// coalesce leaves the last of each key: what is to be written, and what to be taken away.
func (w *writer) coalesce(p *model.Recorded, topic int64) (put, take []*entry, anomalies bool) {
	last := make(map[string]*entry, len(p.Insights))
	order := make([]*entry, 0, len(p.Insights))
	for i := range p.Insights {
		in := &p.Insights[i]
		e := last[in.Key]
		if e == nil {
			e = &entry{}
			last[in.Key] = e
			order = append(order, e)
		}
		e.Insight = *in
	}
	for _, e := range order {
		anomalies = anomalies || e.Kind == model.InsightAnomaly
		e.topic = topic
		e.Key, e.Aggregate, e.Definition = storable(e.Key), storable(e.Aggregate), storable(e.Definition)
		e.id = digest("key", e.Key)
		if e.Document == nil {
			take = append(take, e)
			continue
		}
		// An engine's clock may be ahead: rows and windows grow old together.
		e.UpdatedAt = earlier(e.UpdatedAt, w.now)
		if e.UpdatedAt.Before(w.cutoff) { // the topic has kept it for longer; a revision of it may be here
			take = append(take, e)
			continue
		}
		e.group = groupID(&e.Insight)
		put = append(put, e)
	}
	return put, take, anomalies
}

func (w *writer) insights(ctx context.Context, put []*entry) error {
	if len(put) == 0 {
		return nil
	}
	added, err := w.bulk.insights(ctx, put)
	if err != nil {
		return err
	}
	for _, e := range put {
		w.touch(e, e.At.Partition)
	}
	return w.terms(ctx, added, true)
}

func (w *writer) remove(ctx context.Context, take []*entry) error {
	if len(take) == 0 {
		return nil
	}
	removed, err := w.bulk.remove(ctx, take)
	if err != nil {
		return err
	}
	for _, e := range removed {
		w.touch(e, e.At.Partition)
	}
	return w.terms(ctx, removed, false)
}

// touch notes that a window has changed. Sessions begin at any time: theirs are kept by the hour.
func (w *writer) touch(e *entry, partition int32) {
	start, end := e.Start, e.End
	if e.Kind == model.InsightSession {
		start = start.Truncate(time.Hour)
		end = start.Add(time.Hour)
	}
	of := series{e.Aggregate, string(e.Kind), e.Definition}
	key := windowKey{of, start.UnixMilli(), e.topic, partition}
	x := w.changed[key]
	if x == nil {
		x = &window{series: of, start: start, end: end, topic: e.topic, partition: partition}
		w.changed[key] = x
	}
	x.changes++
	if e.UpdatedAt.After(x.updated) {
		x.updated = e.UpdatedAt
	}
}

// finish writes what is added up over the parts.
func (w *writer) finish(ctx context.Context) error {
	if len(w.changed) == 0 {
		return nil
	}
	list := make([]*window, 0, len(w.changed))
	for _, x := range w.changed {
		list = append(list, x)
	}
	slices.SortFunc(list, compareWindows)
	return w.windows(ctx, list)
}

func compareWindows(a, b *window) int {
	for _, c := range []int{compareText(a.aggregate, b.aggregate), compareText(a.kind, b.kind), compareText(a.definition, b.definition),
		a.start.Compare(b.start), int(a.topic - b.topic)} {
		if c != 0 {
			return c
		}
	}
	return int(a.partition) - int(b.partition)
}
