package aggregate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/measure"
)

// ID identifies a definition: a name, what its groups are told apart by, and the shape of its windows. State of another
// definition is never mixed with it.
type ID uint64

func (id ID) String() string { return string(appendHex(nil, id)) }

func appendHex(dst []byte, id ID) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[id>>shift&15])
	}
	return dst
}

// Definition is an aggregate as it travels in the partials topic, so that whoever merges needs no pipeline file, and
// instances with an old and a new one run side by side. Grace, retention, emit, detect and the measures may change under
// the same ID: the last one that was read counts.
type Definition struct {
	Pipeline  string        `json:"pipeline"`
	Name      string        `json:"name"`
	Of        string        `json:"of"` // event or source
	GroupBy   []string      `json:"group_by"`
	Values    []string      `json:"values"` // the expressions behind GroupBy
	Window    Window        `json:"window"`
	Grace     int64         `json:"grace_ms"`
	Retention int64         `json:"retention_ms"`
	Final     bool          `json:"final_only"`
	MaxGroups int           `json:"max_groups"`
	Measures  []MeasureSpec `json:"measures"`
	Detect    *Detect       `json:"detect,omitempty"`

	// Retired are measures of earlier definitions with the same ID, which state may have. The changelog knows them, a
	// pipeline file does not.
	Retired []MeasureSpec `json:"retired,omitempty"`

	id        ID
	panes     int64             // the length of panes, 0 for sessions
	functions []measure.Measure // of Measures; missing where this version does not know one
}

// Window is the shape of windows, in milliseconds.
type Window struct {
	Kind  model.WindowKind `json:"kind"`
	Size  int64            `json:"size_ms,omitempty"`
	Every int64            `json:"every_ms,omitempty"`
	Gap   int64            `json:"gap_ms,omitempty"`
}

// MeasureSpec is a measure of a definition. Two names for the same function and arguments share one state.
type MeasureSpec struct {
	Name      string  `json:"name"`
	Text      string  `json:"text"`
	Function  string  `json:"function"`
	Argument  string  `json:"argument,omitempty"`
	Parameter float64 `json:"parameter,omitempty"`
}

// Detect says which values of a closed window are anomalies.
type Detect struct {
	Measure    string   `json:"measure"`
	Sigma      float64  `json:"sigma,omitempty"`
	MinWindows int      `json:"min_windows,omitempty"`
	Above      *float64 `json:"above,omitempty"`
	Below      *float64 `json:"below,omitempty"`
}

// NewDefinition is the definition of one aggregate of a pipeline.
func NewDefinition(pipeline string, a *model.Aggregate) *Definition {
	w := a.Window
	d := &Definition{
		Pipeline: pipeline, Name: a.Name, Of: "event",
		Window: Window{Kind: w.Kind, Size: w.Size.Milliseconds(), Every: w.Every.Milliseconds(), Gap: w.Gap.Milliseconds()},
		Grace:  w.Grace.Milliseconds(), Retention: a.Retention.Milliseconds(), Final: a.Emit == model.EmitFinal, MaxGroups: a.MaxGroups,
	}
	if a.OfSource {
		d.Of = "source"
	}
	if w.Kind == model.Tumbling {
		d.Window.Every = d.Window.Size
	}
	for _, g := range a.GroupBy {
		d.GroupBy, d.Values = append(d.GroupBy, g.Name), append(d.Values, strings.TrimSpace(g.Value.Text))
	}
	for _, m := range a.Measures {
		s := MeasureSpec{Name: m.Name, Text: m.Text, Function: m.Function, Parameter: m.Parameter}
		if m.Argument != nil {
			s.Argument = strings.TrimSpace(m.Argument.Text)
		}
		d.Measures = append(d.Measures, s)
	}
	if det := a.Detect; det != nil {
		d.Detect = &Detect{Measure: det.Measure, Sigma: det.Sigma, MinWindows: det.MinWindows, Above: det.Above, Below: det.Below}
	}
	d.identify()
	return d
}

// identify sets the id: a hash of what makes state comparable, and of nothing else; and what follows from the rest.
func (d *Definition) identify() {
	parts := append([]string{d.Name, d.Of, string(d.Window.Kind), fmt.Sprint(d.Window.Size, d.Window.Every, d.Window.Gap)}, d.GroupBy...)
	d.id = ID(digest(append(parts, d.Values...)))
	if !d.session() {
		d.panes = d.Window.pane()
	}
	for i := range d.Measures {
		if f, err := d.Measures[i].implementation(); err == nil {
			d.functions = append(d.functions, f)
		}
	}
}

// digest is a hash of texts that no other list of texts has.
func digest(parts []string) uint64 {
	var b []byte
	for _, s := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// Late tells whether an event at t comes too late for a source partition with the given watermark: when its pane, with the
// grace, lies behind that. It depends on nothing else, so that the log alone decides.
func (d *Definition) Late(t, watermark int64) bool {
	if watermark == NoWatermark {
		return false
	}
	if d.session() {
		return t+d.Grace < watermark
	}
	p := d.panes
	return floor(t, p)+p+d.Grace <= watermark
}

// Functions are the measures, in their order.
func (d *Definition) Functions() []measure.Measure { return d.functions }

// ID is the definition's.
func (d *Definition) ID() ID { return d.id }

// id tells the state of one measure from that of another function or argument under the same name.
func (m *MeasureSpec) id() uint32 {
	return uint32(digest([]string{m.Function, m.Argument, fmt.Sprint(m.Parameter)}))
}

// implementation is the function with its parameter.
func (m *MeasureSpec) implementation() (measure.Measure, error) {
	f, ok := measure.Find(m.Function)
	if !ok {
		return nil, fmt.Errorf("the function %q of measure %s is unknown to this version", m.Function, m.Name)
	}
	return f.New(m.Parameter), nil
}

// pane is the length of the pieces that windows are built of: whole windows when they lie side by side.
func (w Window) pane() int64 {
	a, b := w.Size, w.Every
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// session tells whether windows follow the events instead of the clock.
func (d *Definition) session() bool { return d.Window.Kind == model.Session }

// floor is the largest multiple of size that is not above t.
func floor(t, size int64) int64 {
	r := t % size
	if r < 0 {
		r += size
	}
	return t - r
}

// closedAt is the watermark at which a window of the given end is closed.
func (d *Definition) closedAt(end int64) int64 { return end + d.Grace }

// expiredAt is the watermark from which on nothing of a window that ends at end is kept.
func (d *Definition) expiredAt(end int64) int64 { return end + d.Grace + d.Retention }

// record is the definition as it is sent, behind dst.
func (d *Definition) record(dst []byte) []byte {
	text, err := json.Marshal(d)
	if err != nil { // no field of it can fail
		return dst
	}
	return append(append(dst, format, kindDefinition), text...)
}

// parseDefinition reads what record wrote behind its first two bytes.
func parseDefinition(text []byte) (*Definition, error) {
	d := &Definition{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("a definition cannot be read: %w", err)
	}
	if !d.Window.valid() || d.Grace < 0 || d.Grace > mostTime || d.Retention < 0 || d.Retention > mostTime {
		return nil, fmt.Errorf("the definition of %s does not describe windows: %+v, grace %d ms, retention %d ms", d.Name, d.Window, d.Grace, d.Retention)
	}
	if len(d.GroupBy) != len(d.Values) || len(d.Measures) == 0 || d.MaxGroups <= 0 {
		return nil, fmt.Errorf("the definition of %s lacks measures or groups", d.Name)
	}
	d.identify()
	return d, nil
}

// Bounds of what can be reckoned with; those of a pipeline file are narrower.
const (
	mostTime  = 1 << 40 // milliseconds, 34 years
	mostPanes = 100_000 // of a window
)

func (w Window) valid() bool {
	switch w.Kind {
	case model.Session:
		return w.Gap > 0 && w.Gap <= mostTime
	case model.Tumbling:
		return w.Size > 0 && w.Size <= mostTime && w.Every == w.Size
	case model.Hopping:
		return w.Every > 0 && w.Size >= w.Every && w.Size <= mostTime && w.Size/w.pane() <= mostPanes
	}
	return false
}
