package broker

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// wire is a connection whose other side answers with the bytes of reply to whatever it was sent.
type wire struct {
	sent   bytes.Buffer
	writes int
	reply  func(sent []byte) []byte
	back   io.Reader
}

func (w *wire) Write(b []byte) (int, error) { w.writes++; return w.sent.Write(b) }
func (w *wire) Read(b []byte) (int, error) {
	if w.back == nil {
		w.back = bytes.NewReader(w.reply(w.sent.Bytes()))
	}
	return w.back.Read(b)
}

// answer is a response with the correlation id of the request and a size that may lie.
func answer(body []byte, size int) func([]byte) []byte {
	return func(sent []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(size))
		return append(append(b, sent[8:12]...), body...)
	}
}

func TestPiecesGoOutInOrderAndSmallOnesTogether(t *testing.T) {
	large := bytes.Repeat([]byte("L"), smallPiece+1)
	for name, c := range map[string]struct {
		pieces [][]byte
		writes int
	}{
		"small ones in one write":      {[][]byte{[]byte("a"), []byte("b"), bytes.Repeat([]byte("c"), smallPiece)}, 1},
		"large ones where they lie":    {[][]byte{[]byte("a"), large, []byte("b"), []byte("c"), large}, 4},
		"a small one after large ones": {[][]byte{large, large, []byte("z")}, 5},
		"nothing":                      {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Frame{Key: 3, Version: 9, Flexible: true, Pieces: c.pieces, clientID: "me"}
			for range 2 { // the second time with the buffers of the first
				w := &wire{reply: answer([]byte("body"), 8)}
				if _, err := f.RawExchange(w); err != nil {
					t.Fatal(err)
				}
				sent := w.sent.Bytes()
				want := append([]byte{0, 3, 0, 9, sent[8], sent[9], sent[10], sent[11], 0, 2, 'm', 'e', 0}, bytes.Join(c.pieces, nil)...)
				if size := binary.BigEndian.Uint32(sent); int(size) != len(sent)-4 || !bytes.Equal(sent[4:], want) {
					t.Errorf("%d bytes of %d were sent, want %d", len(sent)-4, size, len(want))
				}
				if w.writes > c.writes {
					t.Errorf("%d writes", w.writes)
				}
				if string(f.Answer) != "body" {
					t.Errorf("answer %q", f.Answer)
				}
			}
		})
	}
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	foreign := func(sent []byte) []byte {
		b := answer(nil, 4)(sent)
		b[7]++
		return b
	}
	for name, c := range map[string]struct {
		reply func([]byte) []byte
		says  string
	}{
		"of another request":      {foreign, "was expected"},
		"negative size":           {answer(nil, -1), "answer of"},
		"smaller than its header": {answer(nil, 3), "answer of"},
		"more than memory":        {answer(nil, maxResponse+5), "answer of"},
		"cut short":               {answer([]byte("bo"), 8), "unexpected EOF"},
		"none":                    {func([]byte) []byte { return nil }, "EOF"},
	} {
		_, err := (&Frame{Key: 3, Version: 9}).RawExchange(&wire{reply: c.reply})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTaggedFieldsOfTheHeaderAreSkipped(t *testing.T) {
	f := &Frame{FlexibleAnswer: true}
	body := []byte{2, 0, 3, 'a', 'b', 'c', 5, 0, 'r', 'e', 's', 't'}
	if _, err := f.RawExchange(&wire{reply: answer(body, len(body)+4)}); err != nil || string(f.Answer) != "rest" {
		t.Errorf("%q, %v", f.Answer, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 1, 2, 0, 3, 'a', 'b', 'c', 5}, true)
	f.Add([]byte{0, 0, 0, 4}, false)
	f.Fuzz(func(t *testing.T, b []byte, flexible bool) {
		if len(b) >= 4 && binary.BigEndian.Uint32(b) > 1<<20 {
			return // memory is not what is tried here
		}
		frame := &Frame{FlexibleAnswer: flexible}
		w := &wire{reply: func(sent []byte) []byte {
			if len(b) >= 8 {
				copy(b[4:8], sent[8:12])
			}
			return b
		}}
		if _, err := frame.RawExchange(w); err == nil && len(frame.Answer) > len(b) {
			t.Errorf("%d bytes were made of %d", len(frame.Answer), len(b))
		}
	})
}
