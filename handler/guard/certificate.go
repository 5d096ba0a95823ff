package guard

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"data-stream-engine/model"
)

// Certificate is a pair of certificate and key in files, which may be replaced while it is used.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[pair]
}

type pair struct {
	cert, key []byte // the files
	parsed    *tls.Certificate
}

// LoadCertificate reads the pair. The error says which files and what is wrong, and is of class Misconfigured.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	p, err := c.read()
	if err == nil {
		err = p.parse()
	}
	if err != nil {
		return nil, &model.Error{Class: model.Misconfigured, Op: "load HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE", Subject: certFile + ", " + keyFile, Err: err,
			Hint: "PEM files of a certificate, with its chain, and of its key, which is not encrypted"}
	}
	c.current.Store(p)
	return c, nil
}

func (c *Certificate) read() (*pair, error) {
	cert, certErr := os.ReadFile(c.certFile)
	key, keyErr := os.ReadFile(c.keyFile)
	return &pair{cert: cert, key: key}, errors.Join(certErr, keyErr)
}

func (p *pair) parse() error {
	parsed, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return err
	}
	p.parsed = &parsed
	return nil
}

func (p *pair) same(o *pair) bool { return bytes.Equal(p.cert, o.cert) && bytes.Equal(p.key, o.key) }

// Expiry is when the certificate in use ends.
func (c *Certificate) Expiry() time.Time { return c.current.Load().parsed.Leaf.NotAfter }

// Config is for a server: TLS 1.2 and newer, HTTP/2, and at each handshake the certificate in use.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load().parsed, nil }}
}

// Watch looks at the files until ctx ends and takes a new pair when there is one. It tells of each once: of a new pair with
// nil, of one that cannot be used with the error, and goes on with the pair before. What changes from one look to the next
// is still being written and is not judged.
func (c *Certificate) Watch(ctx context.Context, every time.Duration, tell func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, told := c.current.Load(), c.current.Load()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := c.read()
		settled := now.same(last)
		last = now
		if !settled || now.same(told) {
			continue
		}
		told = now
		if err == nil {
			err = now.parse()
		}
		if err == nil {
			c.current.Store(now)
		}
		tell(err)
	}
}
