package expression

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestDigitsReadsWhatStrconvReads(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		s := []byte(strconv.FormatUint(g.Uint64()|1<<63, 10)[:g.IntN(19)])
		if len(s) > 0 && g.IntN(2) == 0 {
			s[g.IntN(len(s))] = byte(g.Uint32())
		}
		want, err := strconv.ParseUint(string(s), 10, 64)
		if n, ok := digits(string(s)); ok != (err == nil) || ok && n != int64(want) {
			t.Fatalf("%q: %d %v, want %d %v", s, n, ok, want, err)
		}
	}
}
