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
	numbers, scalars := []Kind{Int, Float}, []Kind{Bool, Int, Float, Text}
	percent := &Parameter{Name: "the percentile", Least: 0, Most: 100, Exclusive: true, Required: true}
	number := &Parameter{Name: "the number of values", Least: 1, Most: mostValues, Whole: true, Required: true}
	return []Function{
		{Name: "avg", Takes: numbers, New: func(float64) Measure { return avg{} }},
		{Name: "count", New: func(float64) Measure { return count{} }},
		{Name: "distinct", Takes: scalars, New: func(float64) Measure { return distinct{} }},
		{Name: "first", Takes: scalars, New: func(float64) Measure { return place{"first", -1} }},
		{Name: "last", Takes: scalars, New: func(float64) Measure { return place{"last", 1} }},
		{Name: "max", Takes: numbers, New: func(float64) Measure { return extreme{"max", 1} }},
		{Name: "min", Takes: numbers, New: func(float64) Measure { return extreme{"min", -1} }},
		{Name: "percentile", Takes: numbers, Parameter: percent, New: percentileOf},
		{Name: "sum", Takes: numbers, New: func(float64) Measure { return sum{} }},
		{Name: "top", Takes: scalars, Parameter: number, New: topOf},
	}
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
