package projection

// levels remembers of each open level whether it is an object: a bit a level.
type levels [maxDepth/64 + 1]uint64

func (l *levels) set(depth int, object bool) {
	bit := uint64(1) << (depth % 64)
	if object {
		l[depth/64] |= bit
	} else {
		l[depth/64] &^= bit
	}
}

func (l *levels) isObject(depth int) bool { return l[depth/64]>>(depth%64)&1 != 0 }

// nestedEnd reads the list or object that begins with b[i], below depth open ones, and returns the index behind it, or -1.
func nestedEnd(b []byte, i, depth int, open *levels) int {
	base := depth
	for {
		switch c := b[i]; c {
		case '{', '[':
			if depth == maxDepth {
				return -1
			}
			depth++
			open.set(depth, c == '{')
			i = skipSpace(b, i+1)
			if i == len(b) || b[i] != c+2 { // ASCII has '}' two behind '{', and ']' two behind '['
				if i = elementStart(b, i, c == '{'); i < 0 {
					return -1
				}
				continue
			}
		default:
			if i, _ = scalarEnd(b, i); i < 0 {
				return -1
			}
		}
		if i, depth = closeLevels(b, i, base, depth, open); i < 0 || depth == base {
			return i
		}
	}
}

// closeLevels goes on behind a value: over closing brackets and braces to the next value, or to the end of the last of the
// levels above base. It returns where that is, or -1, and how many levels are open there.
func closeLevels(b []byte, i, base, depth int, open *levels) (int, int) {
	for depth > base {
		i = skipSpace(b, i)
		if i == len(b) {
			return -1, depth
		}
		object := open.isObject(depth)
		switch c := b[i]; {
		case c == ',':
			return elementStart(b, skipSpace(b, i+1), object), depth
		case c == '}' && object, c == ']' && !object:
			i++
			depth--
		default:
			return -1, depth
		}
	}
	return i, depth
}

// elementStart returns where the value of the element begins whose first byte is b[i], or -1: in an object a key comes first.
func elementStart(b []byte, i int, object bool) int {
	if object {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		end, _ := stringEnd(b, i+1)
		if end < 0 {
			return -1
		}
		return valueStart(b, end)
	}
	if i >= len(b) {
		return -1
	}
	return i
}

// valueStart goes from behind a key over the colon to its value, or returns -1.
func valueStart(b []byte, i int) int {
	if i+2 >= len(b) || b[i] != ':' {
		return oddValueStart(b, i)
	}
	at := i + 1
	if b[at] == ' ' {
		at++
	}
	if b[at] <= ' ' {
		return oddValueStart(b, i)
	}
	return at
}

func oddValueStart(b []byte, i int) int {
	if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
		return -1
	}
	if i = skipSpace(b, i+1); i == len(b) {
		return -1
	}
	return i
}
