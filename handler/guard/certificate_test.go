package guard

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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// pemPair makes a certificate for a name and its key.
func pemPair(t *testing.T, name string, until time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateIsReplacedWithoutARestartAndABadOneIsNot(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key := pemPair(t, "first.example", time.Now().Add(time.Hour))
	write(t, certFile, cert)
	write(t, keyFile, key)
	c, err := LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(c.Expiry()); left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %s", left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan error, 8), make(chan struct{})
	go func() {
		defer close(ended)
		c.Watch(ctx, time.Millisecond, func(err error) { told <- err })
	}()
	name := func() string {
		pair, err := c.Config().GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.Subject.CommonName
	}
	write(t, keyFile, []byte("no key"))
	if err := <-told; err == nil || name() != "first.example" {
		t.Errorf("a broken key: %v, in use is %s", err, name())
	}
	cert, key = pemPair(t, "second.example", time.Now().Add(2*time.Hour))
	write(t, certFile, cert)
	write(t, keyFile, key)
	for err := range told { // the pair may be seen between the two writes
		if err == nil {
			break
		}
	}
	if name() != "second.example" || time.Until(c.Expiry()) < time.Hour {
		t.Errorf("in use is %s", name())
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err == nil || name() != "second.example" {
		t.Errorf("a missing file: %v, in use is %s", err, name())
	}
	cancel()
	<-ended
}

func TestBadPairIsRefusedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key := pemPair(t, "a.example", time.Now().Add(time.Hour))
	_, other := pemPair(t, "b.example", time.Now().Add(time.Hour))
	for name, files := range map[string][2][]byte{"nothing": {}, "no PEM": {[]byte("x"), key}, "another key": {cert, other}, "swapped": {key, cert}} {
		write(t, certFile, files[0])
		write(t, keyFile, files[1])
		_, err := LoadCertificate(certFile, keyFile)
		if model.ClassOf(err) != model.Misconfigured || !strings.Contains(err.Error(), "HTTP_TLS_CERT_FILE") || !strings.Contains(err.Error(), certFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadCertificate(filepath.Join(dir, "missing.pem"), keyFile); err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("%v", err)
	}
}
