package security

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"data-stream-engine/test/harness"
)

// pair is a certificate and its key, with the certificate of who signed it.
type pair struct {
	key          crypto.Signer
	cert, signer *x509.Certificate
}

// authority is the cluster's own, whose key kafka.sh leaves beside its certificate; stranger is one that nobody knows.
func authority(t *testing.T) pair {
	t.Helper()
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		return block.Bytes
	}
	cert, err := x509.ParseCertificate(read(suite.Cluster.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(read(strings.TrimSuffix(suite.Cluster.CAFile, ".pem") + ".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair{key: key.(crypto.Signer), cert: cert, signer: cert}
}

func stranger(t *testing.T) pair {
	t.Helper()
	return issue(t, pair{}, "a stranger", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
}

// issue makes a certificate; without a signer it signs itself.
func issue(t *testing.T, by pair, name string, shape ...func(*x509.Certificate)) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	for _, change := range shape {
		change(template)
	}
	if by.cert == nil {
		by = pair{key: key, cert: template}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key: key, cert: cert, signer: by.cert}
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }

// names are what a broker's certificate is for.
func names(dns ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.DNSNames = dns
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if dns[0] == "localhost" {
			c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		}
	}
}

func forClients(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }

func (p pair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

func (p pair) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// write replaces the files of a client certificate as docs/security.md says: beside, and then renamed, the key first.
func (p pair) write(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	replace(t, keyFile, p.keyPEM(t))
	replace(t, certFile, p.certPEM())
	return certFile, keyFile
}

func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// present gives a listener of the broker another certificate, for new connections, and its own back with the test.
func present(t *testing.T, client *harness.Client, p pair) (giveBack func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "broker.pem")
	content := append(append(p.keyPEM(t), p.certPEM()...), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.signer.Raw})...)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(filepath.Dir(suite.Cluster.CAFile), "broker-with-key.pem")
	keystore(t, client, file)
	giveBack = func() { keystore(t, client, own) }
	t.Cleanup(giveBack)
	return giveBack
}

func keystore(t *testing.T, client *harness.Client, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	const prefix = "listener.name.sasl_ssl.ssl.keystore."
	kind := "PEM"
	answer, err := client.Admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: prefix + "type", Value: &kind}, {Op: kadm.SetConfig, Name: prefix + "location", Value: &file},
	}, 1)
	if err == nil && answer[0].Err != nil {
		err = fmt.Errorf("%w: %s", answer[0].Err, answer[0].ErrMessage)
	}
	if err != nil {
		t.Fatal(err)
	}
}
