package utils

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

const (
	dialTimeout = 10 * time.Second // to connect, for the TLS handshake, ApiVersions and SASL together
	// idleTimeout is longer than the longest quiet time of a connection that is in use, and shorter than the ten
	// minutes after which brokers close an idle one (connections.max.idle.ms).
	idleTimeout = 5 * time.Minute
	metadataTTL = 10 * time.Minute
)

// NewTransport makes the one way to the brokers: dialing, TLS, SASL and pooling as the settings say. No connection is
// made yet. The caller ends it with CloseIdleConnections.
//
// Its own metadata is switched off on purpose (the list of topics is empty, not nil): nothing here routes by topic,
// and a pool per broker would otherwise ask for every topic of the cluster again and again. So requests have to name
// their broker, and kafka.Client's CreateTopics and Metadata, which wait for a topic to appear in that metadata, must
// not be used with it. Each pool takes the name that a broker's certificate is checked against from the address it
// dials.
func NewTransport(k Kafka) (*kafka.Transport, error) {
	config, err := k.tlsConfig()
	if err != nil {
		return nil, err
	}
	mechanism, err := k.mechanism()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &kafka.Transport{
		Dial:           dialer.DialContext,
		DialTimeout:    dialTimeout,
		IdleTimeout:    idleTimeout,
		MetadataTTL:    metadataTTL,
		MetadataTopics: []string{},
		ClientID:       k.ClientID,
		TLS:            config,
		SASL:           mechanism,
	}, nil
}

// UsesTLS tells whether connections are encrypted.
func (k Kafka) UsesTLS() bool { return strings.HasSuffix(k.SecurityProtocol, "SSL") }

// UsesSASL tells whether connections log in.
func (k Kafka) UsesSASL() bool { return strings.HasPrefix(k.SecurityProtocol, "SASL_") }

// tlsConfig is nil when the protocol has no TLS.
func (k Kafka) tlsConfig() (*tls.Config, error) {
	if !k.UsesTLS() {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if k.SSLCAFile != "" {
		pem, err := os.ReadFile(k.SSLCAFile)
		if err != nil {
			return nil, fmt.Errorf("KAFKA_SSL_CA_FILE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("KAFKA_SSL_CA_FILE: %s holds no certificate in PEM form", k.SSLCAFile)
		}
	}
	if k.SSLCertFile == "" {
		return config, nil
	}
	if _, err := tls.LoadX509KeyPair(k.SSLCertFile, k.SSLKeyFile); err != nil {
		return nil, fmt.Errorf("KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE: %w", err)
	}
	// Read again at each handshake: a renewed certificate is used without a restart.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(k.SSLCertFile, k.SSLKeyFile)
		if err != nil {
			return nil, &ClientCertificateError{Err: err}
		}
		return &pair, nil
	}
	return config, nil
}

// ClientCertificateError says that the files of the client certificate cannot be used any more.
type ClientCertificateError struct{ Err error }

func (e *ClientCertificateError) Error() string {
	return "KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE: " + e.Err.Error()
}

// Unwrap is what is wrong with them.
func (e *ClientCertificateError) Unwrap() error { return e.Err }

// mechanism is nil when the protocol has no SASL.
func (k Kafka) mechanism() (sasl.Mechanism, error) {
	if !k.UsesSASL() {
		return nil, nil
	}
	switch k.SASLMechanism {
	case "PLAIN":
		return plain.Mechanism{Username: k.SASLUsername, Password: k.SASLPassword.Reveal()}, nil
	case "SCRAM-SHA-256":
		return scramMechanism(scram.SHA256, k)
	case "SCRAM-SHA-512":
		return scramMechanism(scram.SHA512, k)
	}
	return nil, fmt.Errorf("KAFKA_SASL_MECHANISM: %q is not known", k.SASLMechanism)
}

func scramMechanism(algorithm scram.Algorithm, k Kafka) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(algorithm, k.SASLUsername, k.SASLPassword.Reveal())
	if err != nil { // the library's error may quote the password
		return nil, errors.New("KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD: has characters that SCRAM forbids (RFC 4013)")
	}
	return m, nil
}
