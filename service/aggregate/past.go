package aggregate

import (
	"encoding/binary"
	"math"
	"strconv"
)

// past is what a group usually has: an exponentially weighted mean and variance over its closed windows (Finch,
// "Incremental calculation of weighted mean and variance", 2009, section 9).
type past struct {
	windows  uint64 // that it knows
	silent   uint64 // of them the last ones, without an event
	last     int64  // start of the last one
	mean     float64
	variance float64
}

// weight is that of the newest window, once there are enough: the last twenty count for two thirds.
const weight = 0.05

func (h *past) append(dst []byte) []byte {
	dst = binary.AppendVarint(binary.AppendUvarint(binary.AppendUvarint(dst, h.windows), h.silent), h.last)
	dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(h.mean))
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(h.variance))
}

func readPast(b []byte) past {
	d := decoder{rest: b}
	return past{windows: d.uvarint(), silent: d.uvarint(), last: d.varint(), mean: math.Float64frombits(d.uint64()), variance: math.Float64frombits(d.uint64())}
}

// verifyPast checks an entry of a history.
func verifyPast(key, b []byte) error {
	d := decoder{rest: b}
	var last int64
	if string(key) == begun {
		d.uint32()
		last = d.varint()
	} else {
		d.uvarint()
		d.uvarint()
		last = d.varint()
		d.take(16)
	}
	if d.bad || !within(last) {
		return errCut
	}
	return nil
}

// appendJudged is the value of begun.
func appendJudged(dst []byte, measure uint32, start int64) []byte {
	return binary.AppendVarint(binary.BigEndian.AppendUint32(dst, measure), start)
}

// learn takes a window into account.
func (h *past) learn(x float64) {
	h.windows++
	alpha := max(weight, 1/float64(h.windows)) // the plain mean, while there are few
	step := alpha * (x - h.mean)
	h.variance = (1 - alpha) * (h.variance + (x-h.mean)*step)
	h.mean += step
}

// deviation is what is usual around the mean. A count varies by its root at least (Poisson), and nothing is as steady as
// never to vary by a hundredth.
func (h *past) deviation(counts bool) float64 {
	least := math.Abs(h.mean) / 100
	if counts {
		least = max(least, math.Sqrt(math.Abs(h.mean)), 1)
	}
	return max(math.Sqrt(h.variance), least, 1e-9)
}

// findings are what is unusual about one value: in words, and as members of a JSON object.
type findings struct {
	phrases []string
	members []byte
}

func (f *findings) member(name string, x float64) {
	f.members = appendFloat(append(append(append(f.members, `,"`...), name...), `":`...), x)
}

// limits holds a value against the fixed limits.
func (f *findings) limits(d *Detect, x float64) {
	if d.Above != nil && x > *d.Above {
		f.phrases = append(f.phrases, "above the limit of "+short(*d.Above))
		f.member("above", *d.Above)
	}
	if d.Below != nil && x < *d.Below {
		f.phrases = append(f.phrases, "below the limit of "+short(*d.Below))
		f.member("below", *d.Below)
	}
}

// compare holds a value against what is usual, once enough windows say what that is.
func (f *findings) compare(d *Detect, h *past, x float64, counts bool) {
	if h.windows < uint64(max(d.MinWindows, 1)) {
		return
	}
	deviation := h.deviation(counts)
	far := math.Abs(x-h.mean) / deviation
	if far <= d.Sigma {
		return
	}
	f.phrases = append(f.phrases, "usually "+short(h.mean)+" ± "+short(deviation)+" ("+short(far)+" sigma)")
	f.member("usual", h.mean)
	f.member("deviation", deviation)
	f.member("sigma", far)
}

// appendFloat writes a number as JSON does: there is none that is not finite.
func appendFloat(dst []byte, x float64) []byte {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, x, 'g', -1, 64)
}
