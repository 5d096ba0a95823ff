package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"data-stream-engine/model"
	"data-stream-engine/utils"

	"github.com/segmentio/kafka-go"
)

// The fate of each error code that a transactional client meets, as real brokers gave them.
func TestClassesOfErrorCodes(t *testing.T) {
	for class, codes := range map[model.Class][]int16{
		model.Transient: {
			-1,     // the broker does not know what went wrong either
			2,      // a checksum that did not fit on arrival
			3, 100, // a topic just created, which this broker does not know yet
			5, 6, // an election
			7, 19, 20, // a follower is slow; 19 on Produce: verification collided with another call of this producer
			14, 15, 16, // the coordinator loads, is being created, has moved
			41,     // the controller is another broker
			51,     // the transaction before still writes its markers
			56,     // a disk failed: another broker takes over
			74, 75, // leader epochs
			79,  // a dynamic member is given its id
			88,  // offsets of an open transaction
			89,  // a quota
			110, // the member epoch of another protocol
			999, // not known yet
		},
		model.DataLost:      {1},
		model.Rejoin:        {22, 25, 27},
		model.Replaced:      {82},
		model.Fenced:        {45, 47, 48, 49, 59, 90},
		model.Rejected:      {10, 18, 32, 43, 44, 87},
		model.Unauthorized:  {29, 30, 31, 53, 58},
		model.Misconfigured: {17, 23, 24, 26, 33, 34, 35, 37, 38, 39, 40, 42, 50, 76},
	} {
		for _, code := range codes {
			err := Check("commit", "g", code)
			if model.ClassOf(err) != class || Code(err) != code {
				t.Errorf("%d is %s (code %d), want %s", code, model.ClassOf(err), Code(err), class)
			}
			var e *model.Error
			if !errors.As(err, &e) || e.Op != "commit" || e.Subject != "g" || !strings.Contains(err.Error(), fmt.Sprintf("(code %d)", code)) {
				t.Errorf("%d: %#v", code, err)
			}
		}
	}
	if err := Check("commit", "g", 0); err != nil {
		t.Errorf("0 is %v", err)
	}
	if code := Code(fmt.Errorf("wrapped: %w", Check("a", "b", 51))); code != 51 {
		t.Errorf("code %d of a wrapped error", code)
	}
	if code := Code(io.EOF); code != 0 {
		t.Errorf("code %d of an EOF", code)
	}
}

// What only an operator can mend says what to mend.
func TestErrorsForOperatorsSayWhatToDo(t *testing.T) {
	for code, want := range map[int16]string{29: "topic", 30: "group", 31: "cluster", 38: "KAFKA_REPLICATION_FACTOR", 50: "TRANSACTION_TIMEOUT", 53: "transactional id", 58: "KAFKA_SASL_PASSWORD"} {
		if err := Check("x", "y", code); !strings.Contains(err.Error(), want) {
			t.Errorf("%d does not name the %s: %v", code, want, err)
		}
	}
}

// The operations are those that the callers give to Check.
func TestMissingRightsAreNamedByTheOperation(t *testing.T) {
	for _, c := range []struct {
		op   string
		code int16
		want string
	}{
		{"fetch", 29, "READ on the topic"},
		{"read", 29, "READ on the topic"},
		{"look up", 29, "READ on the topic"},
		{"commit the offset of", 29, "READ on the topic"},
		{"commit in a transaction the offset of", 29, "READ on the topic"},
		{"fetch the committed offset of", 29, "DESCRIBE on the topic"},
		{"find topic", 29, "DESCRIBE on the topic"},
		{"find the leader of", 29, "DESCRIBE on the topic"},
		{"list offsets of", 29, "DESCRIBE on the topic"},
		{"look at the settings of topic", 29, "DESCRIBE_CONFIGS on the topic"},
		{"create topic", 29, "CREATE on topics"},
		{"create topic", 31, "CREATE on the cluster"},
		{"produce to", 29, "WRITE on the topic"},
		{"write to", 29, "WRITE on the topic"},
		{"add to transaction g-one partition", 29, "WRITE on the topic"},
		{"initialise producer", 31, "IDEMPOTENT_WRITE on the cluster"},
		{"initialise producer", 53, "WRITE on the transactional id"},
		{"find the coordinator of", 53, "WRITE on the transactional id"},
		{"find the coordinator of", 30, "READ on the group"},
		{"add offsets to transaction", 30, "READ on the group"},
	} {
		if err := Check(c.op, "y", c.code); !strings.Contains(err.Error(), "needs "+c.want) {
			t.Errorf("%s: %v", c.op, err)
		}
	}
}

func TestExchangesWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		err   error
		class model.Class
		says  string
	}{
		{io.EOF, model.Transient, "restarting"},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), model.Transient, "restarting"},
		{context.DeadlineExceeded, model.Transient, "b:9092"},
		{kafka.SASLAuthenticationFailed, model.Unauthorized, "KAFKA_SASL_USERNAME"},
		{kafka.BrokerNotAvailable, model.Transient, "b:9092"},
		{x509.UnknownAuthorityError{}, model.Unauthorized, "KAFKA_SSL_CA_FILE"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "b"}, model.Unauthorized, "advertised.listeners"},
		{tls.RecordHeaderError{}, model.Unauthorized, "KAFKA_SECURITY_PROTOCOL"},
		{x509.CertificateInvalidError{Reason: x509.Expired}, model.Unauthorized, "clock"},
		{x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}, model.Unauthorized, "KAFKA_SSL_CA_FILE"},
		{fmt.Errorf("handshake: %w", &utils.ClientCertificateError{Err: io.EOF}), model.Unauthorized, "KAFKA_SSL_CERT_FILE"},
	} {
		err := unreachable("reach broker", "b:9092", c.err)
		if model.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || !errors.Is(err, c.err) {
			t.Errorf("%v: %s, %v", c.err, model.ClassOf(err), err)
		}
	}
}
