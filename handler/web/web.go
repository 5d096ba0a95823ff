// Package web is the dashboard: files that a browser takes as they are, without a build step, a framework or another
// host. What the page shows and does comes from the API (docs/api.md) and is explained in docs/dashboard.md. The files
// hold nothing secret, so that they may be served before a login; they never contain data.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed files
var embedded embed.FS

// Policy is the Content-Security-Policy of the page: its own files and its own API, no code or style in markup.
const Policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// file is one file of the page, ready to be served.
type file struct {
	content []byte
	kind    string
	tag     string
}

// Handler serves the page. What is no file of it goes to next.
func Handler(next http.Handler) (http.Handler, error) {
	under, err := fs.Sub(embedded, "files")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	files, err := read(under)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			next.ServeHTTP(w, r)
			return
		}
		f.ServeHTTP(w, r)
	}), nil
}

// ServeHTTP answers with the file. Browsers ask each time whether it has changed, so that they never mix two versions; the
// answer to that has no body.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("ETag", f.tag)
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", Policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

// read has every file by its place: index.html is the page itself.
func read(from fs.FS) (map[string]*file, error) {
	kinds := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
	}
	files := map[string]*file{}
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		kind, ok := kinds[path.Ext(name)]
		if !ok {
			return fmt.Errorf("dashboard: no content type is known for %s", name)
		}
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("dashboard: %w", err)
		}
		content = []byte(lean(path.Ext(name), string(content)))
		sum := sha256.Sum256(content)
		at := "/" + name
		if name == "index.html" {
			at = "/"
		}
		files[at] = &file{content: content, kind: kind, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	return files, err
}
