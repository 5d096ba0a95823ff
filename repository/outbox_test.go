package repository

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"
)

// outbox is an outbox of nobody, with two sources, for two topics of 2 and 3 partitions.
func outbox(size int) (*Outbox, []model.TopicPartition) {
	sources := []model.TopicPartition{{Topic: "in", Partition: 3}, {Topic: "in", Partition: 5}}
	p := fakeless()
	p.pool = NewPool(size)
	return p.Outbox([]string{"dead", "out"}, []int32{2, 3}, sources), sources
}

// put writes one record as the service does.
func put(o *Outbox, topic int, partition int32, m *model.Message, value string) {
	o.Close(append(o.Open(topic, partition, m, m.Key, len(value)), value...), nil)
}

func TestOrderWithinAPartitionIsTheOrderOfWriting(t *testing.T) {
	o, sources := outbox(1000)
	want := map[model.TopicPartition][]string{}
	for i := range 200 {
		from := sources[i/7%2]
		m := model.Message{Topic: from.Topic, Partition: from.Partition, Offset: int64(1000 + i), Timestamp: int64(i)}
		topic, partition := i%2, int32(i%2)
		value := fmt.Sprint(i, strings.Repeat("x", i))
		put(o, topic, partition, &m, value)
		to := model.TopicPartition{Topic: []string{"dead", "out"}[topic], Partition: partition}
		want[to] = append(want[to], fmt.Sprintf("%s-%d-%d@%d %s", from.Topic, from.Partition, m.Offset, m.Timestamp, value))
	}
	if o.Count() != 200 || o.Bytes() < 200*100 || o.Bytes() > 200*130 {
		t.Errorf("%d records, %d bytes", o.Count(), o.Bytes())
	}
	batches := o.take()
	got := map[model.TopicPartition][]string{}
	for _, b := range batches {
		if b.Batch.Len() > 1100 {
			t.Errorf("a batch of %d bytes, %d records", b.Batch.Len(), b.Batch.Count())
		}
		for i := range b.Batch.Count() {
			m := b.record(i)
			got[b.TopicPartition] = append(got[b.TopicPartition], fmt.Sprintf("%s-%d-%d@%d %s", m.Topic, m.Partition, m.Offset, m.Timestamp, m.Value))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %s\nwant %s", brief(fmt.Sprint(got)), brief(fmt.Sprint(want)))
	}
	if len(batches) < 10 || o.Bytes() != 0 || o.Count() != 0 || len(o.take()) != 0 {
		t.Errorf("%d batches; %d bytes, %d records are left", len(batches), o.Bytes(), o.Count())
	}
	if o.Partitions(0) != 2 || o.Partitions(1) != 3 {
		t.Errorf("%d and %d partitions", o.Partitions(0), o.Partitions(1))
	}
}

func TestRecordThatIsNotClosedIsDropped(t *testing.T) {
	o, _ := outbox(1000)
	m := model.Message{Topic: "in", Partition: 5, Key: []byte("k")}
	o.Close([]byte("never opened"), nil)
	o.Open(1, 0, &m, nil, 10)
	put(o, 1, 1, &m, "kept")
	o.Open(1, 1, &m, nil, 10)
	got := o.take()
	if len(got) != 1 || got[0].Batch.Count() != 1 || string(got[0].record(0).Value) != "kept" || string(got[0].record(0).Key) != "k" {
		t.Errorf("%v", got)
	}
	o.Close([]byte("opened before Take"), nil)
	if o.Count() != 0 || len(o.take()) != 0 {
		t.Error("a record that was open at Take came later")
	}
	// Null is not empty, and headers keep their order.
	headers := []model.Header{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: nil}}
	m.Key = nil
	o.Open(0, 0, &m, nil, 0)
	o.Close(nil, headers)
	put(o, 0, 0, &m, "")
	b := o.take()[0]
	if x := b.record(0); x.Value != nil || x.Key != nil || len(x.Headers) != 2 || string(x.Headers[0].Value) != "1" || x.Headers[1].Value != nil {
		t.Errorf("%+v", x)
	}
	if x := b.record(1); x.Value == nil || len(x.Value) != 0 {
		t.Errorf("%+v", x)
	}
}

func TestOneRecordLargerThanABatchStandsAlone(t *testing.T) {
	o, _ := outbox(1000)
	m := model.Message{Topic: "in", Partition: 3}
	big := strings.Repeat("x", 5000)
	for _, v := range []string{"a", big, "b"} {
		put(o, 0, 0, &m, v)
	}
	var counts []int
	for _, b := range o.take() {
		counts = append(counts, b.Batch.Count())
	}
	if fmt.Sprint(counts) != "[1 1 1]" {
		t.Errorf("batches of %v records", counts)
	}
}

func TestBuildersComeBackAndHugeOnesDoNot(t *testing.T) {
	p := NewPool(1000)
	a := p.get()
	a.Append(1, recordbatch.Origin{}, nil, []byte("old"), nil)
	p.put(a)
	if b := p.get(); b != a || !b.Empty() || b.Len() != recordbatch.NewBuilder(0).Len() {
		t.Errorf("%p is not the empty %p", b, a)
	}
	huge := p.get()
	huge.Append(1, recordbatch.Origin{}, nil, bytes.Repeat([]byte("x"), 5000), nil)
	p.put(huge)
	if p.get() == huge {
		t.Error("one huge event is paid for ever")
	}
	for range 2 * poolKeeps {
		p.put(recordbatch.NewBuilder(0))
	}
	if len(p.free) != poolKeeps {
		t.Errorf("%d builders are kept", len(p.free))
	}
}

// The builders of one commit are those of the one before.
func TestWrittenBuildersAreUsedAgain(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(2)
	p := r.initialised("x")
	o := p.Outbox([]string{topic}, []int32{2}, []model.TopicPartition{source})
	m := model.Message{Topic: source.Topic, Partition: source.Partition}
	used := map[*recordbatch.Builder]bool{}
	want := map[int32][]string{}
	for i := range 20 {
		for n := range int32(2) {
			v := fmt.Sprintf("%d-%d", n, i)
			put(o, 0, n, &m, v)
			want[n] = append(want[n], v)
		}
		parcel := o.Take().(Parcel)
		for _, b := range parcel.batches {
			used[b.Batch] = true
		}
		refused, err := parcel.Produce(within(t, time.Minute))
		if err != nil || len(refused) != 0 {
			t.Fatal(refused, err)
		}
		must(t, p.End(within(t, time.Minute), true))
	}
	if len(used) != 2 {
		t.Errorf("%d builders for 2 partitions", len(used))
	}
	r.requireCommitted(topic, want)
}

// Partials, state and insights come from no event, even where there are no sources at all.
func TestRecordsThatComeFromNoEventSayNothingElse(t *testing.T) {
	_, sources := outbox(1000)
	for _, sources := range [][]model.TopicPartition{sources, nil} {
		o := fakeless().Outbox([]string{"partials"}, []int32{3}, sources)
		for range 2 {
			put(o, 0, 2, &model.Message{Timestamp: 5, Offset: 9}, "partial")
			if len(sources) > 0 {
				put(o, 0, 2, &model.Message{Topic: "in", Partition: 5, Offset: 7}, "of an event")
			}
		}
		b := o.take()[0]
		for i := range b.Batch.Count() {
			x := model.Refused{Topic: b.Topic, Partition: b.Partition, Record: b.record(i)}
			at, ok := x.Origin()
			if string(x.Record.Value) == "partial" {
				if ok || x.Record.Topic != "" || x.Record.Partition != 0 || x.Record.Offset != 9 || x.Record.Timestamp != 5 {
					t.Errorf("%+v comes from %v", x.Record, at)
				}
			} else if want := (model.Origin{TopicPartition: sources[1], Offset: 7}); !ok || at != want {
				t.Errorf("%+v comes from %v", x.Record, at)
			}
		}
	}
}

func TestARefusedRecordThatComesFromNoEventIsToldWithItsPlace(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2, "max.message.bytes", "2000")
	p := r.initialised(unique(t))
	o := p.Outbox([]string{topic}, []int32{2}, []model.TopicPartition{source})
	put(o, 0, 1, &model.Message{Timestamp: 1_700_000_000_000}, strings.Repeat("x", 5000))
	put(o, 0, 1, &model.Message{Timestamp: 1_700_000_000_000}, "small")
	refused, err := o.Take().Produce(within(t, time.Minute))
	must(t, err)
	if len(refused) != 1 || refused[0].Topic != topic || refused[0].Partition != 1 || len(refused[0].Record.Value) != 5000 {
		t.Fatalf("%+v", refused)
	}
	if at, ok := refused[0].Origin(); ok {
		t.Errorf("it comes from %v", at)
	}
	must(t, p.End(within(t, time.Minute), true))
	r.requireCommitted(topic, map[int32][]string{1: {"small"}})
}

func TestWritingARecordAllocatesNothing(t *testing.T) {
	o, _ := outbox(1 << 20)
	m := model.Message{Topic: "in", Partition: 5}
	value := bytes.Repeat([]byte("x"), 100)
	one := func() { o.Close(append(o.Open(1, 2, &m, nil, len(value)), value...), nil) }
	for range 2000 {
		one()
	}
	for _, b := range o.take() {
		o.pool.put(b.Batch)
	}
	if n := testing.AllocsPerRun(1000, one); n > 0 {
		t.Errorf("%.1f allocations a record", n)
	}
}
