package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/repository/broker"
)

// repairTimeout bounds the repair of a start after a kill; it takes milliseconds.
const repairTimeout = 30 * time.Second

// closedCleanly tells whether the last broker in dir was closed, or never was one, and forgets it: only Close says so
// again.
func closedCleanly(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, "meta.json")); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	err := os.Remove(filepath.Join(dir, "clean"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func markClean(dir string) error {
	return os.WriteFile(filepath.Join(dir, "clean"), nil, 0o600)
}

// abortOpen writes abort markers for every transactional id to every partition. After a kill, kfake treats a
// transaction that was open as aborted, but only in memory: the log has no marker, and after a second kill the next
// commit of the same transactional id would seem to end the old transaction too. A marker for an id that has nothing
// open changes nothing.
func (b *Broker) abortOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, repairTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	producers, err := transactionalProducers(conn)
	if err != nil || len(producers) == 0 {
		return err
	}
	partitions, err := allPartitions(conn)
	if err != nil {
		return err
	}
	q := kmsg.NewPtrWriteTxnMarkersRequest()
	for _, p := range producers {
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.ProducerEpoch, m.Topics = p.ProducerID, p.ProducerEpoch, partitions
		q.Markers = append(q.Markers, m)
	}
	answer, err := call[*kmsg.WriteTxnMarkersResponse](conn, q)
	if err != nil {
		return err
	}
	for _, m := range answer.Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if err := broker.Check("write abort marker to", fmt.Sprintf("%s-%d", t.Topic, p.Partition), p.ErrorCode); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func transactionalProducers(conn net.Conn) ([]kmsg.DescribeTransactionsResponseTransactionState, error) {
	list, err := call[*kmsg.ListTransactionsResponse](conn, kmsg.NewPtrListTransactionsRequest())
	if err != nil {
		return nil, err
	}
	q := kmsg.NewPtrDescribeTransactionsRequest()
	for _, s := range list.TransactionStates {
		q.TransactionalIDs = append(q.TransactionalIDs, s.TransactionalID)
	}
	if len(q.TransactionalIDs) == 0 {
		return nil, nil
	}
	described, err := call[*kmsg.DescribeTransactionsResponse](conn, q)
	if err != nil {
		return nil, err
	}
	return described.TransactionStates, nil
}

func allPartitions(conn net.Conn) ([]kmsg.WriteTxnMarkersRequestMarkerTopic, error) {
	q := kmsg.NewPtrMetadataRequest() // no topics: all
	metadata, err := call[*kmsg.MetadataResponse](conn, q)
	if err != nil {
		return nil, err
	}
	var list []kmsg.WriteTxnMarkersRequestMarkerTopic
	for _, t := range metadata.Topics {
		if t.Topic == nil {
			continue
		}
		topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
		topic.Topic = *t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, p.Partition)
		}
		list = append(list, topic)
	}
	return list, nil
}

// call sends a request and reads its answer. It is not repository/broker's way because these requests are none that
// the engine makes.
func call[R kmsg.Response](conn net.Conn, q kmsg.Request) (R, error) {
	var none R
	q.SetVersion(min(q.MaxVersion(), 1)) // fields of later versions are not used
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, q, 0)); err != nil {
		return none, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return none, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return none, err
	}
	header := 4 // correlation id
	if q.IsFlexible() {
		header++ // no tags
	}
	answer := q.ResponseKind()
	answer.SetVersion(q.GetVersion())
	if err := answer.ReadFrom(body[min(header, len(body)):]); err != nil {
		return none, err
	}
	r, ok := answer.(R)
	if !ok {
		return none, fmt.Errorf("unexpected answer %T", answer)
	}
	return r, nil
}
