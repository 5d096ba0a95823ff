package measure

import (
	"encoding/binary"
	"strconv"
)

// count is how many events there were. Its encoding is the number.
type count struct{}

func (count) Prepare(in *Input, _ *Scalar, _ *Order) error {
	in.Skip = false
	return nil
}

func (count) Words() int { return 1 }

func (count) Add(cell []uint64, _ *Pool, _ *Input) { cell[0]++ }

func (count) Append(dst []byte, cell []uint64, _ *Pool) []byte {
	if cell[0] == 0 {
		return dst
	}
	return binary.AppendUvarint(dst, cell[0])
}

func (count) Valid(state []byte) bool {
	r := reader{rest: state}
	if len(state) > 0 {
		r.count()
	}
	return !r.bad && len(r.rest) == 0
}

func (count) Merge(dst, a, b []byte) []byte {
	if n := plus(counted(a), counted(b)); n > 0 {
		return binary.AppendUvarint(dst, n)
	}
	return dst
}

func (count) AppendJSON(dst, state []byte) []byte { return strconv.AppendUint(dst, counted(state), 10) }

func (count) Number(state []byte) (float64, bool) { return float64(counted(state)), true }

func counted(state []byte) uint64 {
	if len(state) == 0 {
		return 0
	}
	r := reader{rest: state}
	return r.count()
}
