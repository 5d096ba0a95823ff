package aggregate

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/measure"
)

func topOf3() model.Measure {
	m := measureOf("versions", "top", "x")
	m.Parameter = 3
	return m
}

// BenchmarkAdd is what the shipped pipeline does with an event once its group is known.
func BenchmarkAdd(b *testing.B) {
	r := newRig(b, aggregateOf(measureOf("logins", "count", ""), measureOf("users", "distinct", "x"), topOf3()))
	d := r.defs[0]
	var all [1024][3]measure.Input
	versions := [...]string{"2.3.0", "2.3.1", "2.2.9", "1.0.0"}
	for i := range all {
		args := [3]measure.Scalar{{}, {Kind: measure.Text, Text: fmt.Appendf(nil, "user-%d", i*7919)}, {Kind: measure.Text, Text: []byte(versions[i%4])}}
		for k, f := range d.Functions() {
			if err := f.Prepare(&all[i][k], &args[k], new(measure.Order)); err != nil {
				b.Fatal(err)
			}
		}
	}
	groups := [][]byte{[]byte(`"android","RU"`), []byte(`"ios","RU"`), []byte(`"android","DE"`), []byte(`"ios","US"`)}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r.combiner.Add(0, 1_700_000_000_000+int64(n%60_000), groups[n&3], all[n&1023][:])
		n++
		if n%2000 == 0 {
			r.combiner.Flush(1, func(int32, []byte) {})
		}
	}
}

// BenchmarkMillionGroups merges a partial of count and sum for each of a million groups, commits them in pieces, and then
// does it again for groups that are there. B/group is the state's memory with everything around it.
func BenchmarkMillionGroups(b *testing.B) {
	const groups, piece = 1_000_000, 50_000
	for b.Loop() {
		r := newRig(b, aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x")))
		r.tick.Budget, r.tick.MaxBytes = piece, 16<<20
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for pass, name := range []string{"new", "known"} {
			var take, commit time.Duration
			step := []int{7919, 104_729}[pass] // users come in no order
			for from := 0; from < groups; from += piece {
				for i := from; i < from+piece; i++ {
					r.add(1_700_000_000_000, fmt.Sprintf(`"user-%07d"`, i*step%groups), int64(i))
				}
				records := r.partials()
				began := time.Now()
				for i, p := range records {
					if i%stride == 0 {
						r.part.Expect(records[i:min(i+stride, len(records))])
					}
					if err := r.part.Take(p); err != nil {
						b.Fatal(err)
					}
				}
				take += time.Since(began)
				began = time.Now()
				r.tick.Now = r.now
				r.part.Commit(r.tick, nowhere{})
				r.part.Confirm()
				commit += time.Since(began)
			}
			b.ReportMetric(float64(take.Nanoseconds())/groups, "ns/take-"+name)
			b.ReportMetric(float64(commit.Nanoseconds())/groups, "ns/commit-"+name)
		}
		r.combiner, _ = NewCombiner(r.defs)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/groups, "B/group")
		b.ReportMetric(float64(r.part.Bytes())/groups, "B/group-counted")
		began := time.Now()
		runtime.GC()
		b.ReportMetric(float64(time.Since(began).Microseconds()), "us/GC")
		b.ReportMetric(float64(after.Sys)/(1<<20), "MiB-Sys")
		b.ReportMetric(100*after.GCCPUFraction, "%GC")
		began = time.Now()
		r.pass(1_700_000_100_000)
		r.merge()
		for more := true; more; {
			more = r.part.Commit(r.tick, nowhere{}).More
			r.part.Confirm()
		}
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/groups, "ns/close")
		runtime.KeepAlive(r)
	}
}

// BenchmarkTurn is a merge commit of a thousand groups, all of which have changed, and the merging before it.
func BenchmarkTurn(b *testing.B) {
	hopping := aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x"))
	hopping.Window = model.Window{Kind: model.Hopping, Size: 5 * time.Minute, Every: time.Minute}
	sessions := aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x"))
	sessions.Window = model.Window{Kind: model.Session, Gap: time.Minute}
	for name, a := range map[string]*model.Aggregate{"tumbling": aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x")), "hopping": hopping, "session": sessions} {
		b.Run(name, func(b *testing.B) {
			const groups = 1000
			r := newRig(b, a)
			t := int64(1_700_000_000_000)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for i := range groups {
					r.add(t, fmt.Sprintf(`"user-%07d"`, i), int64(i))
				}
				t += 100
				records := r.partials()
				r.now = r.now.Add(time.Second)
				r.tick.Now = r.now
				b.StartTimer()
				for i, p := range records {
					if i%stride == 0 {
						r.part.Expect(records[i:min(i+stride, len(records))])
					}
					if err := r.part.Take(p); err != nil {
						b.Fatal(err)
					}
				}
				r.part.Commit(r.tick, nowhere{})
				r.part.Confirm()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/groups, "ns/group")
		})
	}
}

// BenchmarkRestore reads a changelog of groups of count and sum.
func BenchmarkRestore(b *testing.B) {
	const groups = 200_000
	r := newRig(b, aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x")))
	for i := range groups {
		r.add(1_700_000_000_000, fmt.Sprintf(`"user-%07d"`, i), int64(i))
	}
	r.turn()
	log := r.log.of(changelogTopic)
	keys, values := make([][]byte, len(log)), make([][]byte, len(log))
	for i := range log {
		keys[i], values[i] = []byte(log[i].key), []byte(log[i].value)
	}
	for b.Loop() {
		p := NewPartition(0, 1)
		for i := range keys {
			if err := p.Restore(keys[i], values[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Restored(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/groups, "ns/group")
}
