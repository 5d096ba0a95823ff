package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// readers is how many questions SQLite answers at once.
const readers = 4

// openFile opens SQLite: one connection that writes, and some that read beside it (WAL).
func (a address) openFile(ctx context.Context) (*database, error) {
	if err := os.MkdirAll(filepath.Dir(a.path), 0o750); err != nil {
		return nil, err
	}
	// SQLite would let everybody read it; its other files take after this one.
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	write, err := a.pool("journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-32000)", "journal_size_limit(67108864)", "temp_store(MEMORY)")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := a.pool("query_only(1)", "cache_size(-16000)", "temp_store(MEMORY)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	db := &database{kind: SQLite, read: read, write: write}
	if err := write.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

func (a address) pool(pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(a.path)
	if err != nil {
		return nil, err
	}
	options := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}
	u := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}
