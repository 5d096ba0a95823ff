package recordbatch

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const topic = "logins"

// broker starts a broker with one topic of one partition, and a client of it that shares no code with this package.
func broker(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	opts = append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.MaxVersions(kversion.V2_8_0()), kgo.DefaultProduceTopic(topic))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// fetch asks for the topic's record set as a read_committed consumer does.
func fetch(t *testing.T, client *kgo.Client, from int64) (set []byte, aborted []Aborted) {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MaxBytes, req.IsolationLevel = -1, 100, 10<<20, int8(ReadCommitted)
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = from, 10<<20, -1
	tp := kmsg.NewFetchRequestTopic()
	tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
	req.Topics = append(req.Topics, tp)
	resp, err := client.Broker(0).Request(deadline(t), req)
	if err != nil {
		t.Fatal(err)
	}
	got := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		t.Fatalf("fetch: error %d", got.ErrorCode)
	}
	for _, a := range got.AbortedTransactions {
		aborted = append(aborted, Aborted{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	return got.RecordBatches, aborted
}

func recordOf(e *event) *kgo.Record {
	r := &kgo.Record{Key: e.Key, Value: e.Value, Timestamp: time.UnixMilli(e.Timestamp)}
	for _, h := range e.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
	}
	return r
}

// varied are events with everything that a record can have.
func varied(n int) []event {
	events := some(n)
	for i := range events {
		e := &events[i]
		switch i % 5 {
		case 1:
			e.Key = nil
		case 2:
			e.Value = nil
		case 3:
			e.Headers = []pair{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a")}, {Key: []byte{}, Value: []byte{}}}
		case 4:
			e.Key, e.Value, e.Timestamp = []byte{}, bytes.Repeat([]byte("long "), 2000), e.Timestamp-500
		}
	}
	return events
}

func TestReadsWhatAnotherClientProduces(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			client := broker(t, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
			want := varied(500)
			var records []*kgo.Record
			for i := range want {
				records = append(records, recordOf(&want[i]))
			}
			if err := client.ProduceSync(deadline(t), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			set, _ := fetch(t, client, 0)
			if h := parseHeader(set); h.codec().String() != name {
				t.Fatalf("the set is compressed with %s", h.codec())
			}
			got, next := walk(t, set, 0)
			sameEvents(t, got, want)
			if next != 500 {
				t.Errorf("goes on from %d", next)
			}
		})
	}
}

func TestAnotherClientReadsWhatIsBuilt(t *testing.T) {
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			client := broker(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			want := varied(500)
			req := kmsg.NewPtrProduceRequest()
			req.Acks, req.TimeoutMillis = -1, 5000
			p := kmsg.NewProduceRequestTopicPartition()
			p.Records = build(t, codec, want...)
			tp := kmsg.NewProduceRequestTopic()
			tp.Topic, tp.Partitions = topic, append(tp.Partitions, p)
			req.Topics = append(req.Topics, tp)
			resp, err := client.Broker(0).Request(deadline(t), req)
			if err != nil {
				t.Fatal(err)
			}
			if code := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
				t.Fatalf("produce: error %d", code)
			}
			var got []event
			for ctx := deadline(t); len(got) < len(want); {
				fetches := client.PollFetches(ctx)
				if err := fetches.Err(); err != nil {
					t.Fatal(err)
				}
				fetches.EachRecord(func(r *kgo.Record) {
					e := event{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
					for _, h := range r.Headers {
						e.Headers = append(e.Headers, pair{Key: []byte(h.Key), Value: h.Value})
					}
					got = append(got, e)
				})
			}
			sameEvents(t, got, want)
		})
	}
}

func TestReadsTheTransactionsOfAnotherClient(t *testing.T) {
	client := broker(t, kgo.TransactionalID("writer"))
	ctx := deadline(t)
	var want []string
	for i, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			value := fmt.Sprintf("%d-%d", i, j)
			if err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if end == kgo.TryCommit {
				want = append(want, value)
			}
		}
		if err := client.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	set, aborted := fetch(t, client, 0)
	if len(aborted) != 4 {
		t.Fatalf("the broker lists %d aborted transactions", len(aborted))
	}
	events, next := walk(t, set, 0, aborted...)
	var got []string
	for _, e := range events {
		got = append(got, string(e.Value))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || next != 6*4 {
		t.Errorf("read %v, goes on from %d; want %v and 24", got, next, want)
	}
}
