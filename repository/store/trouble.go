package store

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"data-stream-engine/model"
)

// trouble is an error of the driver for people: what was tried on which database, what is wrong with it, what to do. Its
// text is all that is kept of the driver's error, and without secrets: whoever prints what is inside sees no more.
func (a address) trouble(op string, err error) error {
	if _, ours := errors.AsType[*model.Error](err); ours {
		return err
	}
	e := &model.Error{Class: model.Transient, Op: op, Subject: a.name, Err: errors.New(a.hide(text(err))), Hint: a.advice(err)}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		e.Err = context.Canceled
	case denied(err):
		e.Class = model.Unauthorized
	case unsuitable(err):
		e.Class = model.Rejected
	}
	return e
}

// text is what a person needs of an error.
func text(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message + " (SQLSTATE " + e.Code + ")"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Error()
	}
	return err.Error()
}

// advice is what the reader can do.
func (a address) advice(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return adviceForServer(e.Code)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return a.adviceForFile(e.Code() & 0xff)
	}
	if a.kind == SQLite {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			return a.adviceForFile(sqlite3.SQLITE_READONLY)
		}
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return a.adviceForFile(sqlite3.SQLITE_CANTOPEN)
		}
		return ""
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens there: start PostgreSQL, or correct STORAGE_URL"
	}
	return ""
}

func adviceForServer(code string) string {
	switch code {
	case "28P01", "28000":
		return "PostgreSQL does not let this user in: look at the name and the password in STORAGE_URL and at pg_hba.conf"
	case "3D000":
		return "create the database, or correct STORAGE_URL"
	case "42501":
		return "the user needs the rights to connect and to create tables in the schema: GRANT USAGE, CREATE ON SCHEMA ... TO ..."
	case "3F000":
		return "create the schema that search_path in STORAGE_URL names"
	case "53100":
		return "the disk of PostgreSQL is full"
	case "53300":
		return "PostgreSQL has no connection left: raise max_connections; each instance takes 8 at most"
	case "25006":
		return "this PostgreSQL only reads, as a standby does: STORAGE_URL has to name the primary"
	case "42P01", "42703":
		return "a table of ours is not what it was: drop the tables of the schema, they are filled again from the topics"
	default:
		return ""
	}
}

func (a address) adviceForFile(code int) string {
	switch code {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the file is damaged: delete " + a.path + " and the files of that name with -wal and -shm behind it; it is filled again from the topics"
	case sqlite3.SQLITE_FULL:
		return "the disk is full: make room, or shorten STORAGE_RETENTION"
	case sqlite3.SQLITE_READONLY:
		return "the file and its directory have to be writable for this process"
	case sqlite3.SQLITE_CANTOPEN:
		return "the directory has to exist and to be writable, and the name has to be that of a file"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process holds the file: end it, or set another STORAGE_URL or DATA_DIR"
	case sqlite3.SQLITE_ERROR:
		return "a table is not what it was: delete " + a.path + " and the files of that name with -wal and -shm behind it; it is filled again from the topics"
	case sqlite3.SQLITE_IOERR:
		return "the disk does not do what it should"
	default:
		return ""
	}
}

// denied tells of what an operator has to allow.
func denied(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "28P01" || e.Code == "28000" || e.Code == "42501"
	}
	return false
}

// unsuitable tells of a value that PostgreSQL does not take, whoever sends it how often: data exceptions, constraints, limits.
func unsuitable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") || strings.HasPrefix(e.Code, "54"))
}

// fatal tells that SQLite's file may be another one after the trouble, or gone: it has to be opened anew. PostgreSQL's pool
// makes new connections by itself.
func (a address) fatal(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR:
		return true
	default:
		return false
	}
}
