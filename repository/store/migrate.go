package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"data-stream-engine/model"
)

//go:embed migrations
var migrations embed.FS

// migration is one step from an older form of the tables to a newer one. Those that were released are never changed.
type migration struct {
	version int
	name    string
	text    string
}

// steps are the migrations for a database, in order.
func steps(kind string) ([]migration, error) {
	files, err := fs.Glob(migrations, "migrations/"+kind+"/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all []migration
	for _, file := range files {
		name := file[strings.LastIndexByte(file, '/')+1:]
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != len(all)+1 {
			return nil, fmt.Errorf("%s: migrations are numbered 1, 2, 3", file)
		}
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version, name, string(text)})
	}
	return all, nil
}

// migrationLock is PostgreSQL's advisory lock that replicas which start at once take turns with: "stream" in hexadecimal.
const migrationLock = 0x73747265616d

// migrate brings the tables up to date, in one transaction, and makes sure whose they are.
func (s *Store) migrate(ctx context.Context, db *database) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	all, err := steps(db.kind)
	if err != nil {
		return err
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if db.kind == PostgreSQL {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
	}
	done, err := applied(ctx, tx)
	if err != nil {
		return err
	}
	if done > len(all) {
		return s.mistaken(fmt.Sprintf("its tables have version %d and this program knows %d: a newer one has been at work", done, len(all)),
			"run that one, or use another database; SQLite's file may also be deleted")
	}
	if err := s.apply(ctx, db, tx, all[done:]); err != nil {
		return err
	}
	if err := s.claim(ctx, db, tx, all); err != nil {
		return err
	}
	return tx.Commit()
}

func applied(ctx context.Context, tx *sql.Tx) (done int, err error) {
	if _, err = tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM migrations").Scan(&done)
	return done, err
}

func (s *Store) apply(ctx context.Context, db *database, tx *sql.Tx, all []migration) error {
	for _, m := range all {
		if _, err := tx.ExecContext(ctx, m.text); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		q := db.query().add("INSERT INTO migrations (version, name, applied_at) VALUES (%s, %s, %s)", m.version, m.name, time.Now().UTC().Format(time.RFC3339))
		if _, err := tx.ExecContext(ctx, q.String(), q.args...); err != nil {
			return err
		}
	}
	return nil
}

// claim makes sure that the tables hold what this group wrote. SQLite's file is this process's own: another KAFKA_GROUP_ID is
// a new beginning, for it as for the topics. A server's tables may be somebody else's.
func (s *Store) claim(ctx context.Context, db *database, tx *sql.Tx, all []migration) error {
	var owner string
	err := tx.QueryRowContext(ctx, "SELECT name FROM owner").Scan(&owner)
	if err == nil && owner == s.cfg.Group {
		return nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		if db.kind == PostgreSQL || s.begun {
			return s.mistaken(fmt.Sprintf("it holds what the group %q has recorded, and this one is %q", owner, s.cfg.Group),
				"give each group a database, or a schema by ?search_path=... in STORAGE_URL")
		}
		s.cfg.Log.Warn().Str("file", s.address.path).Str("was", owner).Str("group", s.cfg.Group).
			Msg("the storage holds what another group has recorded: it is emptied and filled again from the topics of this one")
		if err := s.empty(ctx, db, tx, all); err != nil {
			return err
		}
	}
	q := db.query().add("INSERT INTO owner (name) VALUES (%s)", s.cfg.Group)
	_, err = tx.ExecContext(ctx, q.String(), q.args...)
	return err
}

func (s *Store) empty(ctx context.Context, db *database, tx *sql.Tx, all []migration) error {
	var tables []string
	rows, err := tx.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
	err = each(rows, err, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range tables {
		if name == "migrations" {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DROP TABLE "`+strings.ReplaceAll(name, `"`, `""`)+`"`); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM migrations"); err != nil {
		return err
	}
	return s.apply(ctx, db, tx, all)
}

// mistaken is trouble that no retry mends by itself.
func (s *Store) mistaken(text, hint string) error {
	return &model.Error{Class: model.Misconfigured, Op: "use the storage", Subject: s.address.name, Err: errors.New(text), Hint: hint}
}
