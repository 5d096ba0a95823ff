package measure

import "slices"

// Function is what a pipeline file can call under measures.
type Function struct {
	Name  string
	Takes []Kind // of its argument; none: it has no argument. Nil is always accepted, and skipped
	// Parameter is the second argument, a constant; nil: there is none.
	Parameter *Parameter
	New       func(parameter float64) Measure
}

// Parameter is what a function accepts as its second argument.
type Parameter struct {
	Name       string // for messages: "the percentile"
	Least      float64
	Most       float64
	Whole      bool // a whole number
	Exclusive  bool // Least and Most themselves are refused
	DefaultsTo float64
	Required   bool
}

// Functions is the table of all functions, in alphabetical order: a new one needs a file of its own and a line here.
func Functions() []Function {
	return []Function{}
}

// Find is the function of a name.
func Find(name string) (Function, bool) {
	all := Functions()
	i := slices.IndexFunc(all, func(f Function) bool { return f.Name == name })
	if i < 0 {
		return Function{}, false
	}
	return all[i], true
}
