package broker

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/segmentio/kafka-go"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// Kafka's error codes that the engine tells apart.
const (
	OffsetOutOfRange        = 1
	CorruptMessage          = 2
	UnknownTopicOrPartition = 3
	LeaderNotAvailable      = 5
	NotLeader               = 6
	CoordinatorLoading      = 14
	CoordinatorNotAvailable = 15
	NotCoordinator          = 16
	IllegalGeneration       = 22
	InconsistentProtocol    = 23
	InvalidGroupID          = 24
	UnknownMember           = 25
	InvalidSessionTimeout   = 26
	RebalanceInProgress     = 27
	GroupUnauthorized       = 30
	TopicExists             = 36
	NotController           = 41
	PolicyViolation         = 44
	OutOfOrderSequence      = 45
	DuplicateSequence       = 46
	ConcurrentTransactions  = 51
	StorageFailed           = 56
	GroupNotFound           = 69
	FencedLeaderEpoch       = 74
	UnknownLeaderEpoch      = 75
	MemberIDRequired        = 79
	GroupMaxSize            = 81
	FencedInstanceID        = 82
	UnstableOffsetCommit    = 88
	UnknownTopicID          = 100
)

// classes maps Kafka's error codes to what is done about them. A code that is not listed is transient: it is retried
// and logged, so that a new kind of trouble stops nothing for good.
var classes = map[int16]model.Class{
	OffsetOutOfRange: model.DataLost,

	IllegalGeneration: model.Rejoin, UnknownMember: model.Rejoin, RebalanceInProgress: model.Rejoin,
	FencedInstanceID: model.Replaced,

	// Another producer has the transactional id, or the coordinator has given this transaction up; a gap in the
	// sequence or a forgotten producer id (45, 59) ends in the same place: a new epoch.
	47: model.Fenced, 48: model.Fenced, 49: model.Fenced, 90: model.Fenced, OutOfOrderSequence: model.Fenced, 59: model.Fenced,

	10: model.Rejected, 18: model.Rejected, 32: model.Rejected, 43: model.Rejected, PolicyViolation: model.Rejected, 87: model.Rejected,

	29: model.Unauthorized, GroupUnauthorized: model.Unauthorized, 31: model.Unauthorized, 53: model.Unauthorized, 58: model.Unauthorized,

	17: model.Misconfigured, InconsistentProtocol: model.Misconfigured, InvalidGroupID: model.Misconfigured, InvalidSessionTimeout: model.Misconfigured,
	33: model.Misconfigured, 34: model.Misconfigured, 35: model.Misconfigured, 37: model.Misconfigured, 38: model.Misconfigured,
	39: model.Misconfigured, 40: model.Misconfigured, 42: model.Misconfigured, 50: model.Misconfigured, 76: model.Misconfigured,
}

var hints = map[int16]string{
	17: "topic names have letters, digits, '.', '_' and '-' only",
	33: "the broker does not offer that way to log in: check KAFKA_SASL_MECHANISM",
	34: "the broker does not log anybody in there: check KAFKA_SECURITY_PROTOCOL and the port",
	38: "KAFKA_REPLICATION_FACTOR is larger than the number of brokers",
	50: "TRANSACTION_TIMEOUT is above the brokers' transaction.max.timeout.ms",
	58: "check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM",
}

// Check turns an error code of an answer into an error with its class, and 0 into nil.
func Check(op, subject string, code int16) error {
	if code == 0 {
		return nil
	}
	return &model.Error{Class: classes[code], Op: op, Subject: subject, Code: code, Err: describe(code), Hint: cmp.Or(hints[code], missing(op, code))}
}

// describe is Kafka's name of a code, with the code itself for whoever looks it up.
func describe(code int16) error {
	title := kafka.Error(code).Title()
	if title == "" {
		title = "error"
	}
	return fmt.Errorf("%s (code %d)", title, code)
}

// Code is the error code of Kafka in err's chain, 0 when there is none.
func Code(err error) int16 {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e.Code
	}
	return 0
}

// unreachable describes a failed exchange: no answer came.
func unreachable(op, address string, err error) error {
	e := &model.Error{Class: model.Transient, Op: op, Subject: address, Err: err}
	var code kafka.Error
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var own *utils.ClientCertificateError
	var remote *net.OpError
	switch {
	case errors.As(err, &code):
		e.Class, e.Code, e.Hint = classes[int16(code)], int16(code), hints[int16(code)]
	case errors.As(err, &own):
		e.Class, e.Hint = model.Unauthorized, "the files are read again with each connection: put a certificate and its key there"
	case errors.As(err, &authority):
		e.Class, e.Hint = model.Unauthorized, "the broker's certificate is not signed by a known authority: set KAFKA_SSL_CA_FILE"
	case errors.As(err, &host):
		e.Class, e.Hint = model.Unauthorized, "the broker's certificate is for other names: use one of them in KAFKA_BOOTSTRAP_SERVERS and in the brokers' advertised.listeners"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Class, e.Hint = model.Unauthorized, "the broker needs a new certificate; or the clock of this machine is wrong"
	case errors.As(err, &invalid):
		e.Class, e.Hint = model.Unauthorized, "the broker needs another certificate, or KAFKA_SSL_CA_FILE another authority"
	case errors.As(err, &record):
		e.Class, e.Hint = model.Unauthorized, "the broker does not speak TLS there: check KAFKA_SECURITY_PROTOCOL and the port"
	case errors.As(err, &remote) && remote.Op == "remote error": // how crypto/tls names an alert of the other side
		e.Class, e.Hint = model.Unauthorized, "the broker refuses our side of TLS: where it asks for client certificates, set KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE to one that it trusts and that has not expired"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Hint = "the broker closed the connection: it is restarting, or it expects another KAFKA_SECURITY_PROTOCOL on this port"
	}
	return e
}
