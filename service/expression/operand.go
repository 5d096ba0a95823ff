package expression

import (
	"math"
	"time"
	"unsafe"
)

// value is what compiled expressions pass on: any value of the language in three words, so that the compiler keeps it
// in registers (it does so for structs of up to four fields) and off the heap. The zero value says that an evaluation
// failed; why is in the work's err.
type value struct {
	tag uint64         // the Kind; isDecoded; isPlain; above nanosShift the nanoseconds within the second of a Time
	num uint64         // Bool: 0 or 1; Int; Float: its bits; Duration; Time: seconds since 1970; else the length of ref
	ref unsafe.Pointer // Time: *time.Location, nil for UTC; else the bytes of a Text, or of the JSON of a List or an Object
}

const (
	isDecoded  = 1 << 16 // List, Object: ref is a *any
	isPlain    = 1 << 17 // Text: nothing in it has to be escaped in JSON
	nanosShift = 32
)

func (v value) kind() Kind        { return Kind(v.tag) }
func (v value) decoded() bool     { return v.tag&isDecoded != 0 }
func (v value) plain() bool       { return v.tag&isPlain != 0 }
func (v value) nanos() int64      { return int64(v.tag >> nanosShift) }
func nilValue() value             { return value{tag: uint64(Nil)} }
func ofInt(i int64) value         { return value{tag: uint64(Int), num: uint64(i)} }
func ofFloat(f float64) value     { return value{tag: uint64(Float), num: math.Float64bits(f)} }
func ofText(s string) value       { return ofBytes(Text, s) }
func (v value) int() int64        { return int64(v.num) }
func (v value) float() float64    { return math.Float64frombits(v.num) }
func (v value) truth() bool       { return v.num != 0 }
func (v value) failed() bool      { return v.tag == 0 }
func (v value) is(kind Kind) bool { return v.kind()&kind != 0 }

func ofBytes(kind Kind, s string) value {
	return value{tag: uint64(kind), num: uint64(len(s)), ref: unsafe.Pointer(unsafe.StringData(s))} //nolint:gosec // see value
}

// plainText is a text in which nothing has to be escaped.
func plainText(s string) value {
	v := ofText(s)
	v.tag |= isPlain
	return v
}

// text is what ofBytes was given.
func (v value) text() string { return unsafe.String((*byte)(v.ref), int(v.num)) } //nolint:gosec // see value

// list is a List that was decoded, nil when it is still JSON.
func (v value) list() []any {
	if !v.decoded() {
		return nil
	}
	list, _ := (*(*any)(v.ref)).([]any)
	return list
}

func ofBool(b bool) value {
	if b {
		return value{tag: uint64(Bool), num: 1}
	}
	return value{tag: uint64(Bool)}
}

func ofTime(t time.Time) value {
	v := value{tag: uint64(Time) | uint64(t.Nanosecond())<<nanosShift, num: uint64(t.Unix())}
	if l := t.Location(); l != time.UTC {
		v.ref = unsafe.Pointer(l) //nolint:gosec // see value
	}
	return v
}

func (v value) time() time.Time {
	t := time.Unix(int64(v.num), v.nanos())
	if v.ref != nil {
		return t.In((*time.Location)(v.ref))
	}
	return t.UTC()
}

// number is an Int or a Float as a float64.
func (v value) number() float64 {
	if v.kind() == Int {
		return float64(v.int())
	}
	return v.float()
}

// boxed is v in the form that functions on any values take. Texts still lie in the memory of the event.
func (v value) boxed() any {
	switch v.kind() {
	case Bool:
		return v.truth()
	case Int:
		return v.int()
	case Float:
		return v.float()
	case Text:
		return v.text()
	case Time:
		return v.time()
	case Duration:
		return time.Duration(v.num)
	case Beyond:
		return beyond(v.text())
	case List, Object:
		if v.decoded() {
			return *(*any)(v.ref)
		}
		return decode(bytesOf(v.text()))
	default: // Nil
		return nil
	}
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
		return value{tag: uint64(Duration), num: uint64(v)}
	case []any:
		return ofDecoded(List, v)
	case map[string]any:
		return ofDecoded(Object, v)
	case beyond:
		return ofBytes(Beyond, string(v))
	}
	return nilValue()
}

func ofDecoded(kind Kind, v any) value {
	return value{tag: uint64(kind) | isDecoded, ref: unsafe.Pointer(&v)} //nolint:gosec // see value
}

// view is b as a string that lies in the same memory: it is valid for as long as nobody writes to b.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // see value

// bytesOf is s as bytes that lie in the same memory, which nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) } //nolint:gosec // see value
