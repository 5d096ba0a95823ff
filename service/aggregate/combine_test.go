package aggregate

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"data-stream-engine/model"
)

// TestCombinerMakesOnePartialAGroupAndPane, and begins anew with each transaction, however large the last one was.
func TestCombinerMakesOnePartialAGroupAndPane(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")), with(func(a *model.Aggregate) {
		a.Name, a.GroupBy, a.Window = "all", nil, model.Window{Kind: model.Hopping, Size: 3 * time.Second, Every: 2 * time.Second}
	}))
	rng := rand.New(rand.NewPCG(1, 9))
	for _, events := range []int{10, 50_000, 10, 300} {
		want := map[string]int{}
		for range events {
			r.source.Watermark = NoWatermark
			at, group := epoch+int64(rng.IntN(events*10)), fmt.Sprintf(`"%d"`, rng.IntN(events))
			r.add(at, group, 0)
			want[fmt.Sprintf("%s %d %s", r.defs[0].ID(), floor(at, 60_000), group)]++
			want[fmt.Sprintf("%s %d %s", r.defs[1].ID(), floor(at, 1000), group)]++
		}
		got := map[string]int{}
		r.combiner.Flush(16, func(partition int32, b []byte) {
			p, err := parsePartial(b[2:], b[1] == kindSession)
			if err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprintf("%s %d %s", p.id, p.first, p.group)
			if got[key] > 0 {
				t.Errorf("twice: %s", key)
			}
			name := "logins"
			if p.id == r.defs[1].ID() {
				name = "all"
			}
			if partition != partitionOf(name, p.group, 16) {
				t.Errorf("%s is in partition %d", key, partition)
			}
			d := decoder{rest: p.measures}
			_, state := next(&d)
			number, _ := r.defs[0].Functions()[0].Number(state)
			got[key] = int(number)
		})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%d partials of %d events, want %d", len(got), events, len(want))
		}
		if !r.combiner.Empty() || r.combiner.Full() {
			t.Error("it is not empty")
		}
	}
}

func TestCombinerIsFullBeforeItTakesTooMuch(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	n := 0
	for ; !r.combiner.Full() && n < 2*fullGroups; n++ {
		r.add(epoch, fmt.Sprint(n), 0)
	}
	if n != fullGroups {
		t.Errorf("full with %d groups", n)
	}
	partials := 0
	r.combiner.Flush(1, func(int32, []byte) { partials++ })
	if partials != n || r.combiner.Full() {
		t.Errorf("%d partials of %d", partials, n)
	}
}

func TestCombinerRefusesFunctionsItDoesNotKnow(t *testing.T) {
	if c, err := NewCombiner([]*Definition{NewDefinition("p", aggregateOf(measureOf("n", "guess", "x")))}); err == nil {
		t.Errorf("%+v", c)
	}
}
