package utils

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/twmb/franz-go/pkg/kfake"
)

// certificate writes a certificate for 127.0.0.1 that is its own authority, and its key.
func certificate(t *testing.T, dir string) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certFile, string(certPEM))
	write(t, keyFile, string(keyPEM))
	pair, err = tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, pair
}

// ask makes one round trip to the cluster with the transport that the settings describe.
func ask(t *testing.T, c *kfake.Cluster, environ ...string) (*metadata.Response, error) {
	t.Helper()
	s := mustLoad(t, "", append(environ, "KAFKA_BOOTSTRAP_SERVERS="+c.ListenAddrs()[0])...)
	transport, err := NewTransport(s.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	response, err := transport.RoundTrip(ctx, kafka.TCP(s.Kafka.BootstrapServers[0]), &metadata.Request{TopicNames: []string{}})
	if err != nil {
		return nil, err
	}
	return response.(*metadata.Response), nil
}

func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(1, "a", "b"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTransportAsksForNoTopics(t *testing.T) {
	response, err := ask(t, cluster(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(response.Brokers) != 1 || len(response.Topics) != 0 {
		t.Errorf("%d brokers, topics %v: want 1 broker and no topic", len(response.Brokers), response.Topics)
	}
}

func TestTransportLogsInOverTLSWithEachMechanism(t *testing.T) {
	cert, key, pair := certificate(t, t.TempDir())
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			pool := x509.NewCertPool()
			pool.AddCert(pair.Leaf)
			c := cluster(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "engine", "s3cret"), kfake.TLS(&tls.Config{
				Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}))
			environ := []string{"KAFKA_SECURITY_PROTOCOL=SASL_SSL", "KAFKA_SASL_MECHANISM=" + mechanism, "KAFKA_SASL_USERNAME=engine", "KAFKA_SSL_CA_FILE=" + cert}
			withCert := append(environ, "KAFKA_SSL_CERT_FILE="+cert, "KAFKA_SSL_KEY_FILE="+key)
			if _, err := ask(t, c, append(withCert, "KAFKA_SASL_PASSWORD=s3cret")...); err != nil {
				t.Errorf("right password, right certificate: %v", err)
			}
			if _, err := ask(t, c, append(withCert, "KAFKA_SASL_PASSWORD=wrong")...); err == nil {
				t.Error("a wrong password was accepted")
			}
			if _, err := ask(t, c, append(environ, "KAFKA_SASL_PASSWORD=s3cret")...); err == nil {
				t.Error("no client certificate was asked for, or the test's broker does not check it")
			}
		})
	}
}

func TestTransportChecksTheBrokersCertificate(t *testing.T) {
	_, _, pair := certificate(t, t.TempDir())
	other, _, _ := certificate(t, t.TempDir())
	c := cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
	if _, err := ask(t, c, "KAFKA_SECURITY_PROTOCOL=SSL", "KAFKA_SSL_CA_FILE="+other); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
	if _, err := ask(t, c, "KAFKA_SECURITY_PROTOCOL=SSL"); err == nil {
		t.Error("a certificate that the system does not know was accepted")
	}
}
