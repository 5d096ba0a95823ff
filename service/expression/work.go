package expression

import (
	"strconv"
	"time"
	"unicode/utf8"

	"data-stream-engine/service/projection"
)

// work is the memory that compiled expressions use while they run on one event.
type work struct {
	err error  // why the last evaluation failed
	buf []byte // the texts that were made for the event

	now     value  // of the batch
	nowJSON []byte // the same as it is written

	mac    *mac // of signer
	signer *signer
	minute minute
}

// fail ends an evaluation.
func (w *work) fail(err error) value {
	w.err = err
	return value{}
}

// setNow sets what now() gives.
func (w *work) setNow(t time.Time) {
	w.now = ofTime(t.UTC())
	w.nowJSON = append(appendTime(append(w.nowJSON[:0], '"'), t.UTC()), '"')
}

// text ends a text that was begun at from in buf.
func (w *work) text(from int) value { return ofText(view(w.buf[from:])) }

// plain ends a text in which nothing has to be escaped.
func (w *work) plain(from int) value { return plainText(view(w.buf[from:])) }

// load is the value of a span of JSON.
func (w *work) load(raw []byte, kind projection.Kind) value {
	switch kind {
	case projection.Text:
		return plainText(view(raw[1 : len(raw)-1]))
	case projection.Unicode:
		if s := view(raw[1 : len(raw)-1]); utf8.ValidString(s) {
			return plainText(s)
		}
		return w.unescaped(raw)
	case projection.Escaped:
		return w.unescaped(raw)
	case projection.Int:
		return integer(raw)
	case projection.Number:
		return float(raw)
	case projection.True:
		return ofBool(true)
	case projection.False:
		return ofBool(false)
	case projection.List:
		return ofBytes(List, view(raw))
	case projection.Object:
		return ofBytes(Object, view(raw))
	default: // Null, Missing
		return nilValue()
	}
}

func (w *work) unescaped(quoted []byte) value {
	from := len(w.buf)
	w.buf = appendUnescaped(w.buf, quoted[1:len(quoted)-1])
	return w.text(from)
}

// integer reads an integer literal; one beyond 64 bits is a float.
func integer(raw []byte) value {
	s := view(raw)
	if len(s) <= 18 { // all of these fit into 64 bits
		if s[0] != '-' {
			n, _ := digits(s)
			return ofInt(n)
		}
		n, _ := digits(s[1:])
		return ofInt(-n)
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return ofInt(i)
	}
	return float(raw)
}

func float(raw []byte) value {
	f, err := strconv.ParseFloat(view(raw), 64)
	if err != nil {
		return ofBytes(Beyond, view(raw))
	}
	return ofFloat(f)
}

// append writes the JSON of a value. What still is the JSON that it came as is copied byte for byte.
func (w *work) append(dst []byte, v value) ([]byte, error) {
	switch v.kind() {
	case Nil:
		return append(dst, "null"...), nil
	case Bool:
		return strconv.AppendBool(dst, v.truth()), nil
	case Int:
		return strconv.AppendInt(dst, v.int(), 10), nil
	case Text:
		return appendText(dst, v.text()), nil
	case Time:
		if v == w.now {
			return append(dst, w.nowJSON...), nil
		}
	case List, Object:
		if !v.decoded() {
			return append(dst, v.text()...), nil
		}
	case Beyond:
		return dst, outOfRange(v)
	default:
	}
	return AppendJSON(dst, v.boxed())
}
