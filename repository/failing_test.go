package repository

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// failing answers a request with an error code wherever the answer has one.
func failing(q kmsg.Request, code int16) kmsg.Response {
	switch q := q.(type) {
	case *kmsg.InitProducerIDRequest:
		a := q.ResponseKind().(*kmsg.InitProducerIDResponse)
		a.ErrorCode, a.ProducerID, a.ProducerEpoch = code, -1, -1
		return a
	case *kmsg.AddOffsetsToTxnRequest:
		a := q.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		a.ErrorCode = code
		return a
	case *kmsg.EndTxnRequest:
		a := q.ResponseKind().(*kmsg.EndTxnResponse)
		a.ErrorCode = code
		return a
	case *kmsg.AddPartitionsToTxnRequest:
		a := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for _, t := range q.Topics {
			x := kmsg.NewAddPartitionsToTxnResponseTopic()
			x.Topic = t.Topic
			for _, n := range t.Partitions {
				y := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				y.Partition, y.ErrorCode = n, code
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
		}
		return a
	case *kmsg.TxnOffsetCommitRequest:
		a := q.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, t := range q.Topics {
			x := kmsg.NewTxnOffsetCommitResponseTopic()
			x.Topic = t.Topic
			for _, p := range t.Partitions {
				y := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				y.Partition, y.ErrorCode = p.Partition, code
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
		}
		return a
	case *kmsg.ProduceRequest:
		a := q.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range q.Topics {
			x := kmsg.NewProduceResponseTopic()
			x.Topic = t.Topic
			for _, p := range t.Partitions {
				y := kmsg.NewProduceResponseTopicPartition()
				y.Partition, y.ErrorCode = p.Partition, code
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
		}
		return a
	}
	return nil
}

// first answers the first requests with one code each and leaves the others to the broker.
func first(codes ...int16) script {
	return func(n int, q request) (kmsg.Response, error, bool) {
		if n > len(codes) {
			return nil, nil, false
		}
		return failing(q.Request, codes[n-1]), nil, true
	}
}
