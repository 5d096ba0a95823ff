package expression

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Library is the set of functions and operators that expressions can use. It is immutable.
type Library struct {
	functions map[string]*function
	operators map[string]*function
	names     []string
	signer    *signer
}

// function is something that an expression can call, with what it accepts.
type function struct {
	name     string // in messages
	key      string // in the machine's table; no text of a user can be one
	params   []Kind
	optional int  // how many of the last params may be left out
	variadic bool // the last param repeats
	result   Kind
	call     func(args []any) (any, error)
	// one and two are fast forms for the arguments that nearly all events have. They may decline by a value without a
	// kind; call then has the say.
	one func(w *work, a value) value
	two func(w *work, a, b value) value
	// text is in place of one for functions that give text: it appends the text to dst, and may decline. In the text
	// nothing has to be escaped in JSON that has not to be in the argument.
	text func(w *work, dst []byte, a value) (out []byte, ok bool)
}

// NewLibrary makes the functions. hashKey is the key of hash, in the form of HASH_KEY; without one, expressions with
// hash compile but fail when they run. The error never shows a key.
func NewLibrary(hashKey string) (*Library, error) {
	s, err := newSigner(hashKey)
	if err != nil {
		return nil, err
	}
	lib := &Library{functions: map[string]*function{}, operators: map[string]*function{}, signer: s}
	for _, f := range slices.Concat(textFunctions(), numberFunctions(), listFunctions(), timeFunctions(), valueFunctions(), privacyFunctions(s)) {
		f.key = f.name + "()"
		if f.text != nil {
			f.one = f.toBuffer
		}
		lib.functions[f.name] = &f
	}
	for _, f := range operators() {
		f.key = f.name
		lib.operators[f.name] = &f
	}
	names := append([]string{"has", "now"}, slices.Collect(maps.Keys(lib.functions))...)
	names = append(names, loopNames()...)
	slices.Sort(names)
	lib.names = slices.Compact(names)
	return lib, nil
}

// Names are the functions that can be called, in alphabetical order.
func (lib *Library) Names() []string { return slices.Clone(lib.names) }

// HasHashKey tells whether hash can run.
func (lib *Library) HasHashKey() bool { return lib.signer != nil }

func (f *function) required() int {
	n := len(f.params) - f.optional
	if f.variadic {
		n = max(n, 1)
	}
	return n
}

func (f *function) param(i int) Kind {
	return f.params[min(i, len(f.params)-1)]
}

func (f *function) counts() string {
	least, most := f.required(), len(f.params)
	switch {
	case f.variadic:
		return "at least " + arguments(least)
	case least == most:
		return arguments(least)
	}
	return strconv.Itoa(least) + " to " + arguments(most)
}

func arguments(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return strconv.Itoa(n) + " arguments"
}

// run checks the arguments and calls the function; it is what the machine calls.
func (f *function) run(args ...any) (any, error) {
	for i, a := range args {
		if KindOf(a)&f.param(i) == 0 {
			return nil, fmt.Errorf("%s takes %s, not %s", f.name, f.param(i), Describe(a))
		}
	}
	return f.call(args)
}

// hint is "did you mean X?" when a function is close to what was written, otherwise all of them.
func (lib *Library) hint(name string) string {
	if near := Nearest(name, lib.names); near != "" {
		return "did you mean " + near + "?"
	}
	return "known are " + strings.Join(lib.names, ", ")
}

// Nearest is the name that differs least from what was written, if it is near enough to be a slip of the pen.
func Nearest(written string, names []string) string {
	best, nearest := max(1, len(written)/3)+1, ""
	for _, name := range names {
		d := distance(normal(written), normal(name))
		if sameLetters(normal(written), normal(name)) {
			d = min(d, 1)
		}
		if d < best {
			best, nearest = d, name
		}
	}
	return nearest
}

func normal(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

// sameLetters tells whether two words differ in the order of their letters alone, as after a slip of the pen.
func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}

// distance is Levenshtein's: how many letters to add, drop or change.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
