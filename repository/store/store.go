package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// Config says where a store is and whose.
type Config struct {
	URL       utils.Secret  // STORAGE_URL; empty: a file in DataDir
	Dir       string        // paths in URL are relative to it
	DataDir   string        // holds the file when URL is empty
	Group     string        // whose insights they are: a database holds those of one group
	Retention time.Duration // what was written longer ago is deleted
	Log       zerolog.Logger
}

// Store keeps insights and dead letters, and answers questions about them. It is safe for concurrent use; Write is for one
// goroutine. Before Start has succeeded, and after trouble with the database, all else fails with an error that says why.
type Store struct {
	cfg     Config
	address address
	own     atomic.Uint64 // what this process has written: see Version
	others  others
	tables  standings

	mu    sync.RWMutex
	db    *database // nil: not open
	why   error     // there is none, or the last trouble
	begun bool      // it was open once
}

// New looks at the address and touches nothing.
func New(cfg Config) (*Store, error) {
	a, err := parse(cfg.URL, cfg.Dir, cfg.DataDir)
	if err != nil {
		return nil, err
	}
	if a.kind == PostgreSQL {
		if _, err := a.config(); err != nil {
			return nil, err
		}
	}
	s := &Store{cfg: cfg, address: a, why: errors.New("it is not open yet")}
	s.tables.made = map[standingKey]*standing{}
	return s, nil
}

// Kind is SQLite or PostgreSQL.
func (s *Store) Kind() string { return s.address.kind }

// Name is where the store is, for people.
func (s *Store) Name() string { return s.address.name }

// Shared tells whether other instances write to the same store.
func (s *Store) Shared() bool { return s.address.kind == PostgreSQL }

// Start opens the database and brings its tables up to date, unless that was done. After an error it is tried again.
func (s *Store) Start(ctx context.Context) error {
	s.mu.RLock()
	open := s.db != nil
	s.mu.RUnlock()
	if open {
		return nil
	}
	db, err := s.address.open(ctx)
	if err == nil {
		if err = s.migrate(ctx, db); err == nil {
			err = db.prepare(ctx)
		}
		if err != nil {
			_ = db.close()
		}
	}
	if err != nil {
		err = s.address.trouble("open the storage", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db, s.why = db, err
	if err != nil {
		s.db = nil
	} else {
		s.begun = true
	}
	return err
}

// Close ends all connections.
func (s *Store) Close() error {
	s.mu.Lock()
	db := s.db
	s.db, s.why = nil, errors.New("it is closed")
	s.mu.Unlock()
	if db == nil {
		return nil
	}
	return db.close()
}

// use is the database, or why there is none.
func (s *Store) use(op string) (*database, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db != nil {
		return s.db, nil
	}
	if e, ok := errors.AsType[*model.Error](s.why); ok {
		return nil, &model.Error{Class: e.Class, Op: op, Err: e.Err, Hint: e.Hint}
	}
	return nil, &model.Error{Class: model.Transient, Op: op, Subject: s.address.name, Err: s.why}
}

// failed turns an error of the driver into one for people. After one that opening anew may mend the database is closed, so
// that the next Start opens it.
func (s *Store) failed(db *database, op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*model.Error](err); ours {
		return err
	}
	if !s.address.fatal(err) {
		return s.address.trouble(op, err)
	}
	return s.abandon(db, s.address.trouble(op, err))
}

// abandon closes a database, so that the next Start opens it anew, and returns why.
func (s *Store) abandon(db *database, why error) error {
	s.mu.Lock()
	same := s.db == db
	if same {
		s.db, s.why = nil, why
	}
	s.mu.Unlock()
	if same {
		_ = db.close()
	}
	return why
}

// reading runs a question, which may take no longer than a person waits.
func (s *Store) reading(ctx context.Context, op string, ask func(context.Context, *database) error) error {
	db, err := s.use(op)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return s.failed(db, op, ask(ctx, db))
}

const (
	readTimeout  = 15 * time.Second
	writeTimeout = time.Minute
	openTimeout  = 10 * time.Second
)

// database is an open one.
type database struct {
	kind  string
	read  *sql.DB
	write *sql.DB // the same one in PostgreSQL; one connection in SQLite
	hot   *statements
}

func (d *database) close() error {
	d.hot.close()
	err := d.write.Close()
	if d.read != d.write {
		err = errors.Join(err, d.read.Close())
	}
	return err
}

// at is a time as the database has it: a number of milliseconds in SQLite.
func (d *database) at(t time.Time) any {
	if d.kind == SQLite {
		return t.UnixMilli()
	}
	return t.UTC().Truncate(time.Millisecond)
}
