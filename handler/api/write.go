package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// answer writes a document whole, so that one that cannot be encoded is no half answer.
func answer(w http.ResponseWriter, v any) error {
	body, err := encoded(v)
	if err != nil {
		return err
	}
	write(w, body)
	return nil
}

// encoded is a document as JSON. Signs that mean something in HTML are escaped: whoever takes it for a page sees text.
func encoded(v any) ([]byte, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

// write answers with a document.
func write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) //nolint:gosec // G705: it is JSON, and says so; an error says that the peer is gone, and there is nobody to tell
}

// page is a part of a list.
type page struct {
	Items any     `json:"items"`
	Next  *string `json:"next_cursor"` // null: this is the last part
}

func pageOf(items any, next string) page {
	p := page{Items: items}
	if next != "" {
		p.Next = &next
	}
	return p
}

// stamp is a time as all documents have it: RFC 3339 in UTC with milliseconds, null when there is none.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// content is bytes of an event: as text where they are text, in base64 otherwise.
func content(b []byte) (text, encoded *string) {
	if b == nil {
		return nil, nil
	}
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	s := base64.StdEncoding.EncodeToString(b)
	return nil, &s
}
