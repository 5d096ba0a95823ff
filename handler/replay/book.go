package replay

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"data-stream-engine/model"
)

// keptKeys is how many requests with a key are remembered, the latest. Brokers take 4 KiB beside an offset.
const keptKeys = 60

// book is what is remembered of requests with an Idempotency-Key, the latest last. It is committed in the transaction of
// each, so that a request whose answer was lost with its instance is known to be done, or is not done.
type book []entry

// entry is one request: what it was and what became of it, in about 40 letters.
type entry struct {
	key     string // a hash of the key
	content string // a hash of the rest of the request
	count   int
	refused int
	at      int64 // milliseconds
}

const (
	keySize     = 12 // bytes of a hash, of which two never meet
	contentSize = 6  // of one that only tells whether a key was used twice by mistake
	numberBase  = 36
)

// readBook reads the text of a book. What it cannot read is left out.
func readBook(text string) (b book) {
	for line := range strings.SplitSeq(text, ",") {
		f := strings.Split(line, ".")
		if len(f) != 5 {
			continue
		}
		count, err1 := strconv.ParseInt(f[2], numberBase, 32)
		refused, err2 := strconv.ParseInt(f[3], numberBase, 32)
		at, err3 := strconv.ParseInt(f[4], numberBase, 64)
		if errors.Join(err1, err2, err3) == nil {
			b = append(b, entry{key: f[0], content: f[1], count: int(count), refused: int(refused), at: at})
		}
	}
	return b
}

func (b book) String() string {
	lines := make([]string, len(b))
	for i, e := range b {
		number := func(n int64) string { return strconv.FormatInt(n, numberBase) }
		lines[i] = strings.Join([]string{e.key, e.content, number(int64(e.count)), number(int64(e.refused)), number(e.at)}, ".")
	}
	return strings.Join(lines, ",")
}

// find looks a key up.
func (b book) find(key string) (entry, bool) {
	if key == "" {
		return entry{}, false
	}
	i := slices.IndexFunc(b, func(e entry) bool { return e.key == hash([]byte(key), keySize) })
	if i < 0 {
		return entry{}, false
	}
	return b[i], true
}

// with is the text of a book with one more request; empty for a request without a key, which changes nothing.
func (b book) with(request model.ReplayRequest, done model.Replayed) string {
	if request.Key == "" {
		return ""
	}
	e := entry{key: hash([]byte(request.Key), keySize), content: contentOf(request), count: done.Count, refused: len(done.Refused), at: done.At.UnixMilli()}
	b = append(slices.Clone(b), e)
	return b[max(len(b)-keptKeys, 0):].String()
}

// answer is the one that the request got, if it is the same request.
func (e entry) answer(topic string, request model.ReplayRequest) (model.Replayed, error) {
	at := time.UnixMilli(e.at).UTC()
	if e.content != contentOf(request) {
		return model.Replayed{}, &model.Error{Class: model.Conflict, Op: op, Err: fmt.Errorf("the Idempotency-Key belongs to another request, of %s", at.Format(time.RFC3339)),
			Hint: "give each request a key of its own, and only its repetition the same"}
	}
	done := model.Replayed{Count: e.count, Topic: topic, At: at}
	if e.refused > 0 {
		done.Refused = []model.Refusal{{Why: fmt.Sprintf("%d letters were refused when this was done; it was not done again", e.refused)}}
	}
	return done, nil
}

// contentOf is a hash of what a request asks for.
func contentOf(request model.ReplayRequest) string {
	request.Key, request.IDs = "", slices.Clone(request.IDs)
	slices.Sort(request.IDs)
	text, err := json.Marshal(request)
	if err != nil { // texts, numbers and times
		return ""
	}
	return hash(text, contentSize)
}

func hash(text []byte, size int) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:size])
}
