package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type certificateFiles struct {
	ca, brokerCert, brokerKey, clientCert, clientKey string
}

// makeCertificates writes a CA, a broker's and a client's certificate to dir, as kafka.sh does with openssl.
func makeCertificates(dir string) (certificateFiles, error) {
	var f certificateFiles
	ca, err := issue("test CA", nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	if err != nil {
		return f, err
	}
	broker, err := issue("broker", ca, func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	if err != nil {
		return f, err
	}
	client, err := issue("client", ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	if err != nil {
		return f, err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	f = certificateFiles{ca: at("ca.pem"), brokerCert: at("broker.pem"), brokerKey: at("broker.key"), clientCert: at("client.pem"), clientKey: at("client.key")}
	for path, block := range map[string]*pem.Block{
		f.ca: ca.pem(), f.brokerCert: broker.pem(), f.clientCert: client.pem(), f.brokerKey: broker.keyPEM, f.clientKey: client.keyPEM,
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return f, err
		}
	}
	return f, nil
}

type certificate struct {
	*x509.Certificate
	key    *ecdsa.PrivateKey
	keyPEM *pem.Block
}

func (c *certificate) pem() *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw} }

// issue makes a certificate signed by by, or by itself.
func issue(name string, by *certificate, shape func(*x509.Certificate)) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	shape(template)
	signer := &certificate{Certificate: template, key: key}
	if by != nil {
		signer = by
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, signer.Certificate, &key.PublicKey, signer.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &certificate{Certificate: parsed, key: key, keyPEM: &pem.Block{Type: "PRIVATE KEY", Bytes: der}}, nil
}
