package repository

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The one record that the topic does not take is told from all others, which are written in their order, and the
// sequences go on without a gap.
func TestTooLargeRecordsAreToldFromTheOthers(t *testing.T) {
	for _, id := range []string{"", "transactional"} {
		t.Run(id, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(2, "max.message.bytes", "2000")
			p := r.producer("")
			if id != "" {
				p = r.producer(unique(t))
			}
			ctx := within(t, time.Minute)
			must(t, p.Init(ctx))
			var values, want []string
			for i := range 40 {
				v := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 50))
				if i == 0 || i == 17 || i == 39 {
					v = fmt.Sprintf("%d-%s", i, strings.Repeat("X", 5000))
				} else {
					want = append(want, v)
				}
				values = append(values, v)
			}
			refused, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, values...), p.batch(topic, 1, "beside"), p.batch(topic, 0, "behind"), p.batch(topic, 0, "last")})
			must(t, err)
			var offsets []int64
			for _, x := range refused {
				offsets = append(offsets, x.Record.Offset)
				if x.Topic != topic || x.Record.Topic != source.Topic || x.Record.Partition != source.Partition || string(x.Record.Value) != values[x.Record.Offset-100] {
					t.Errorf("%+v", x)
				}
				requireClass(t, x.Err, model.Rejected)
			}
			slices.Sort(offsets)
			if !slices.Equal(offsets, []int64{100, 117, 139}) {
				t.Errorf("refused are %v", offsets)
			}
			write(t, p, p.batch(topic, 0, "next"))
			must(t, p.End(ctx, true))
			r.requireCommitted(topic, map[int32][]string{0: append(want, "behind", "last", "next"), 1: {"beside"}})
		})
	}
}

func TestInvalidRecordIsToldFromTheOthers(t *testing.T) {
	for _, code := range []int16{10, 18, 32, 43, 44, 87} {
		r := fakeRig(t)
		topic := r.topic(1)
		p := r.initialised("x")
		r.on(kmsg.Produce, func(_ int, q request) (kmsg.Response, error, bool) {
			for _, t := range q.Request.(*kmsg.ProduceRequest).Topics {
				if bytes.Contains(t.Partitions[0].Records, []byte("bad")) {
					return failing(q.Request, code), nil, true
				}
			}
			return nil, nil, false
		})
		refused, err := p.Produce(within(t, time.Minute), []Outgoing{p.batch(topic, 0, "a", "b", "bad", "c", "d")})
		if err != nil || len(refused) != 1 || string(refused[0].Record.Value) != "bad" || broker.Code(refused[0].Err) != code {
			t.Errorf("%d: %v, %v", code, refused, err)
		}
		must(t, p.End(within(t, time.Minute), true))
		r.requireCommitted(topic, map[int32][]string{0: {"a", "b", "c", "d"}})
	}
}

func FuzzReadProduce(f *testing.F) {
	a := kmsg.NewPtrProduceResponse()
	a.Version = 8
	x := kmsg.NewProduceResponseTopic()
	x.Topic = "t"
	for n := range int32(3) {
		y := kmsg.NewProduceResponseTopicPartition()
		y.Partition, y.ErrorCode, y.ErrorMessage = n, int16(n*46), kmsg.StringPtr("why")
		y.ErrorRecords = []kmsg.ProduceResponseTopicPartitionErrorRecord{{RelativeOffset: 3, ErrorMessage: kmsg.StringPtr("x")}}
		x.Partitions = append(x.Partitions, y)
	}
	a.Topics = append(a.Topics, x)
	f.Add(a.AppendTo(nil))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := fakeless()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		answers := []error{errPending, errPending}
		byPartition := map[model.TopicPartition]int{{Topic: "t", Partition: 0}: 0, {Topic: "t", Partition: 1}: 1}
		err := p.readProduce(ctx, b, byPartition, answers)
		if len(b) < 4 && err == nil {
			t.Error("nothing was taken for an answer")
		}
	})
}
