package measure

// extreme is min and max: the smallest and the largest number, exact. Its encoding is the bytes of the number.
type extreme struct {
	function string
	sign     int // 1: the largest; -1: the smallest
}

func (e extreme) Prepare(in *Input, x *Scalar, _ *Order) error {
	if in.Skip = x.Kind == Nil; in.Skip {
		return nil
	}
	kind, b, err := number(e.function, x)
	in.A, in.B = uint64(kind), b
	return err
}

// Words are the kind of the number, which is 0 when there is none, and its bits.
func (extreme) Words() int { return 2 }

func (e extreme) Add(cell []uint64, _ *Pool, in *Input) {
	if cell[0] == 0 || compareNumbers(Kind(in.A), in.B, Kind(cell[0]), cell[1])*e.sign > 0 {
		cell[0], cell[1] = in.A, in.B
	}
}

func (extreme) Append(dst []byte, cell []uint64, _ *Pool) []byte {
	return appendBits(dst, Kind(cell[0]), cell[1])
}

func (extreme) Valid(state []byte) bool {
	kind, _, ok := parseValue(state)
	return len(state) == 0 || ok && (kind == Int || kind == Float)
}

func (e extreme) Merge(dst, a, b []byte) []byte {
	kindA, x, isA := parseValue(a)
	kindB, y, isB := parseValue(b)
	if !isA || isB && compareNumbers(kindB, y, kindA, x)*e.sign > 0 {
		return append(dst, b...)
	}
	return append(dst, a...)
}

func (extreme) AppendJSON(dst, state []byte) []byte { return appendScalar(dst, valueOf(state)) }

func (extreme) Number(state []byte) (float64, bool) {
	kind, b, _ := parseValue(state)
	return asNumber(kind, b)
}
