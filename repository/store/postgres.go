package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	connections    = 8
	connectTimeout = 5 * time.Second
	idleTime       = 5 * time.Minute
)

// config reads the URL. The driver's own error would quote it.
func (a address) config() (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(a.url.Reveal())
	if err != nil {
		return nil, wrong("it is no URL that PostgreSQL's driver understands: look at its port, its options behind the ? and the files they name")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "data-stream-engine"
	}
	return c, nil
}

// openServer opens PostgreSQL.
func (a address) openServer(ctx context.Context) (*database, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*c)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxIdleTime(idleTime)
	db := &database{kind: PostgreSQL, read: pool, write: pool}
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

func (a address) open(ctx context.Context) (*database, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if a.kind == SQLite {
		return a.openFile(ctx)
	}
	return a.openServer(ctx)
}
