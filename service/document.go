package service

import (
	"fmt"

	"data-stream-engine/model"
)

// Document is another file than a pipeline's, read with the strictness of one: one document of plain YAML, no anchors,
// no tags, no key twice. Whoever reads it reports what is wrong at its place, and gets everything at once from Err.
type Document struct {
	Root Node
	r    *reader
}

// ReadDocument reads the YAML of a file that messages call name. Without a root there is nothing to look at, and Err
// says why.
func ReadDocument(name string, src []byte) (d *Document, ok bool) {
	r := newReader(name, src)
	root := r.document()
	return &Document{Root: Node{root}, r: r}, root != nil
}

// Problem notes that something is wrong at a place.
func (d *Document) Problem(at model.Place, format string, args ...any) {
	d.r.problem(at, format, args...)
}

// Err is nil without problems, otherwise a *model.Error of class Misconfigured around Problems.
func (d *Document) Err() error { return d.r.problems.asError() }

// Node is a value of a Document.
type Node struct{ n *node }

// Entry is a key of a mapping and its value.
type Entry struct {
	Key   string
	At    model.Place // of the key
	Value Node
}

// At is where the value starts.
func (n Node) At() model.Place { return n.n.at }

// Text is what a scalar says, without quotes; "" for all others.
func (n Node) Text() string { return n.n.text }

// The kinds of values. Exactly one of these is true, none of them for a value that a problem is noted for already.

// IsText tells a text.
func (n Node) IsText() bool { return n.n.shape == textShape }

// IsNumber tells a number; Text is how it is written.
func (n Node) IsNumber() bool { return n.n.shape == numberShape }

// IsBool tells true and false.
func (n Node) IsBool() bool { return n.n.shape == boolShape }

// IsNull tells null, and a key with nothing behind it.
func (n Node) IsNull() bool { return n.n.shape == nullShape }

// IsMapping tells a mapping.
func (n Node) IsMapping() bool { return n.n.shape == mappingShape }

// IsList tells a list.
func (n Node) IsList() bool { return n.n.shape == listShape }

// IsBroken tells a value that a problem is noted for.
func (n Node) IsBroken() bool { return n.n.shape == brokenShape }

// Entries are the keys of a mapping in the order of the file.
func (n Node) Entries() []Entry {
	list := make([]Entry, len(n.n.pairs))
	for i, p := range n.n.pairs {
		list[i] = Entry{Key: p.key, At: p.at, Value: Node{p.value}}
	}
	return list
}

// Items are the elements of a list.
func (n Node) Items() []Node {
	list := make([]Node, len(n.n.items))
	for i, item := range n.n.items {
		list[i] = Node{item}
	}
	return list
}

// String names the kind for messages: "a mapping".
func (n Node) String() string { return fmt.Sprint(n.n.shape) }
