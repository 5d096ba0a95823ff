package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"data-stream-engine/model"
)

// The versions of cursors, one for each list.
const (
	insightCursor = 1
	letterCursor  = 2
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// limit is how many items of a page are asked for.
func limit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// cursor writes the place behind which a list goes on.
func cursor(kind byte, at time.Time, rest ...int64) string {
	b := binary.BigEndian.AppendUint64([]byte{kind}, uint64(at.UnixMilli()))
	for _, n := range rest {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// follow reads a cursor with n numbers behind the time; ok is false for an empty one.
func follow(kind byte, text string, n int) (at time.Time, rest []int64, ok bool, err error) {
	if text == "" {
		return at, nil, false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 9+8*n || b[0] != kind {
		return at, nil, false, &model.Error{Class: model.Rejected, Op: "read cursor", Err: errors.New("it is not one that this list has given"),
			Hint: "pass on next_cursor as it came, or begin without one"}
	}
	ms := int64(binary.BigEndian.Uint64(b[1:]))
	if ms < firstMoment || ms > lastMoment {
		return at, nil, false, &model.Error{Class: model.Rejected, Op: "read cursor", Err: errors.New("it is damaged"), Hint: "begin without one"}
	}
	for i := range n {
		rest = append(rest, int64(binary.BigEndian.Uint64(b[9+8*i:])))
	}
	return time.UnixMilli(ms).UTC(), rest, true, nil
}

// The times that RFC 3339 can write, and PostgreSQL keep: the years 1 to 9999.
const (
	firstMoment = -62135596800000
	lastMoment  = 253402300799999
)
