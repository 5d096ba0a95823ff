package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Looking at all groups at once finds what looking at one after the other does: no word that begins in one group and ends in the
// next, nothing twice, none left out.
func TestASearchFindsWhatIsInOneGroup(t *testing.T) {
	text := func(most int) string {
		var b strings.Builder
		for range rand.IntN(most + 1) {
			b.WriteByte("ab"[rand.IntN(2)])
		}
		return b.String()
	}
	for range 5000 {
		var s standing
		var groups []string
		var order []int32
		for i := range 1 + rand.IntN(200) {
			groups = append(groups, text(6))
			s.words = append(s.words, groups[i]...)
			s.ends, s.groups, order = append(s.ends, uint32(len(s.words))), append(s.groups, int64(1000+i)), append(order, int32(i))
		}
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		search := []string{"a" + text(3)}
		if rand.IntN(2) == 0 {
			search = append(search, "b"+text(2))
		}
		n := 1 + rand.IntN(10)
		var want []int64
		matched := 0
		for _, i := range order {
			if slices.ContainsFunc(search, func(w string) bool { return !strings.Contains(groups[i], w) }) {
				continue
			}
			if matched++; len(want) < n {
				want = append(want, s.groups[i])
			}
		}
		if picked, found := s.found(order, search, n); !slices.Equal(picked, want) || found != matched {
			t.Fatalf("%q in %q by %v: %v of %d, want %v of %d", search, groups, order, picked, found, want, matched)
		}
	}
}

// BenchmarkSearch looks for one of a million groups.
func BenchmarkSearch(b *testing.B) {
	var s standing
	var order []int32
	for i := range 1_000_000 {
		s.words = fmt.Appendf(s.words, "%08x-%04x\n", rand.Uint32(), rand.Uint32N(1<<16))
		s.ends, s.groups, order = append(s.ends, uint32(len(s.words))), append(s.groups, int64(i)), append(order, int32(i))
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, word := range []string{"05d0", "af53717b-05d0"} {
		b.Run(word, func(b *testing.B) {
			for b.Loop() {
				s.found(order, []string{word}, 12)
			}
		})
	}
}
