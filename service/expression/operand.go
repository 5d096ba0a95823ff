package expression

import (
	"math"
	"time"
	"unsafe"
)

// value is what compiled expressions pass on: any value of the language in the same few words, so that none of them
// is put on the heap. The zero value says that an evaluation failed; why is in the work's err.
type value struct {
	kind  Kind
	nanos int32  // Time: within its second
	num   uint64 // Bool: 0 or 1; Int; Float: its bits; Duration; Time: seconds since 1970
	text  string // Text; List and Object: their JSON, unless box has them decoded
	box   any    // List: []any; Object: map[string]any; Time: *time.Location, nil for UTC
}

func nilValue() value             { return value{kind: Nil} }
func ofInt(i int64) value         { return value{kind: Int, num: uint64(i)} }
func ofFloat(f float64) value     { return value{kind: Float, num: math.Float64bits(f)} }
func ofText(s string) value       { return value{kind: Text, text: s} }
func (v value) int() int64        { return int64(v.num) }
func (v value) float() float64    { return math.Float64frombits(v.num) }
func (v value) truth() bool       { return v.num != 0 }
func (v value) failed() bool      { return v.kind == 0 }
func (v value) is(kind Kind) bool { return v.kind&kind != 0 }

func ofBool(b bool) value {
	if b {
		return value{kind: Bool, num: 1}
	}
	return value{kind: Bool}
}

func ofTime(t time.Time) value {
	v := value{kind: Time, num: uint64(t.Unix()), nanos: int32(t.Nanosecond())}
	if l := t.Location(); l != time.UTC {
		v.box = l
	}
	return v
}

func (v value) time() time.Time {
	t := time.Unix(int64(v.num), int64(v.nanos))
	if l, ok := v.box.(*time.Location); ok {
		return t.In(l)
	}
	return t.UTC()
}

// number is an Int or a Float as a float64.
func (v value) number() float64 {
	if v.kind == Int {
		return float64(v.int())
	}
	return v.float()
}

// boxed is v in the form that functions on any values take. Texts still lie in the memory of the event.
func (v value) boxed() any {
	switch v.kind {
	case Bool:
		return v.truth()
	case Int:
		return v.int()
	case Float:
		return v.float()
	case Text:
		return v.text
	case Time:
		return v.time()
	case Duration:
		return time.Duration(v.num)
	case Beyond:
		return beyond(v.text)
	case List, Object:
		if v.box != nil {
			return v.box
		}
		return decode(bytesOf(v.text))
	}
	return nil
}

// unboxed is the opposite of boxed.
func unboxed(v any) value {
	switch v := v.(type) {
	case bool:
		return ofBool(v)
	case int64:
		return ofInt(v)
	case int:
		return ofInt(int64(v))
	case float64:
		return ofFloat(v)
	case string:
		return ofText(v)
	case time.Time:
		return ofTime(v)
	case time.Duration:
		return value{kind: Duration, num: uint64(v)}
	case []any:
		return value{kind: List, box: v}
	case map[string]any:
		return value{kind: Object, box: v}
	case beyond:
		return value{kind: Beyond, text: string(v)}
	}
	return nilValue()
}

// view is b as a string that lies in the same memory: it is valid for as long as nobody writes to b.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is s as bytes that lie in the same memory, which nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
