package store

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// The kinds of a store.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgres"
)

// fileName is what SQLite's file is called when STORAGE_URL does not say.
const fileName = "insights.db"

// address is what STORAGE_URL says.
type address struct {
	kind string
	path string       // SQLite: the file
	url  utils.Secret // PostgreSQL
	name string       // for people: without a password
}

// parse reads STORAGE_URL. An empty one is a file in dataDir; paths are relative to dir.
func parse(text utils.Secret, dir, dataDir string) (address, error) {
	scheme, rest, found := strings.Cut(text.Reveal(), ":")
	switch {
	case text == "":
		path := filepath.Join(dataDir, fileName)
		return address{kind: SQLite, path: path, name: path}, nil
	case found && strings.EqualFold(scheme, "sqlite"):
		return file(strings.TrimPrefix(rest, "//"), dir)
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return server(text)
	default:
		return address{}, wrong("it is neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/DATABASE nor none")
	}
}

func file(path, dir string) (address, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return address{}, wrong("sqlite: needs the path of a file behind it")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return address{kind: SQLite, path: path, name: path}, nil
}

func server(text utils.Secret) (address, error) {
	u, err := url.Parse(text.Reveal())
	if err != nil || u.Opaque != "" {
		return address{}, wrong("it is no URL: special characters in the password are written as %XX") // err would show it
	}
	name := "the database " + fmt.Sprintf("%q", strings.TrimPrefix(u.Path, "/")) + " on " + u.Host
	if u.Host == "" {
		name = "the database on this machine"
	}
	return address{kind: PostgreSQL, url: text, name: name}, nil
}

// Check tells what is wrong with a STORAGE_URL; nil: nothing that shows before it is used.
func Check(text utils.Secret) error {
	if Off(text) {
		return nil
	}
	a, err := parse(text, "", "")
	if err == nil && a.kind == PostgreSQL {
		_, err = a.config()
	}
	return err
}

// Off tells whether a STORAGE_URL says that nothing is to be kept.
func Off(text utils.Secret) bool { return strings.EqualFold(text.Reveal(), "none") }

// wrong is what stops the start.
func wrong(text string) error {
	return &model.Error{Class: model.Misconfigured, Op: "use STORAGE_URL", Err: errors.New(text),
		Hint: "set it to sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE or none"}
}

// hide takes what nobody may see out of the text of an error.
func (a address) hide(text string) string {
	if a.url == "" {
		return text
	}
	secrets := []string{a.url.Reveal()}
	if u, err := url.Parse(a.url.Reveal()); err == nil {
		if password, ok := u.User.Password(); ok && password != "" {
			secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password))
			if _, escaped, ok := strings.Cut(u.User.String(), ":"); ok {
				secrets = append(secrets, escaped)
			}
		}
		for name, values := range u.Query() {
			if strings.Contains(strings.ToLower(name), "password") {
				secrets = append(secrets, values...)
			}
		}
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	return text
}
