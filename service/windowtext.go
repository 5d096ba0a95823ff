package service

import (
	"strconv"
	"strings"

	"data-stream-engine/model"
)

// WindowText is a window as a pipeline file has it on one line.
func WindowText(w model.Window) string {
	grace := ", grace: " + durationText(w.Grace) + "}"
	switch w.Kind {
	case model.Hopping:
		return "{hopping: {size: " + durationText(w.Size) + ", every: " + durationText(w.Every) + "}" + grace
	case model.Session:
		return "{session: " + durationText(w.Gap) + grace
	case model.Tumbling:
	}
	return "{tumbling: " + durationText(w.Size) + grace
}

// DetectText is the same for what anomalies are.
func DetectText(d *model.Detect) string {
	parts := []string{"measure: " + d.Measure}
	number := func(name string, x float64) {
		parts = append(parts, name+": "+strconv.FormatFloat(x, 'f', -1, 64))
	}
	if d.Sigma > 0 {
		number("sigma", d.Sigma)
		number("min_windows", float64(d.MinWindows))
	}
	if d.Above != nil {
		number("above", *d.Above)
	}
	if d.Below != nil {
		number("below", *d.Below)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
