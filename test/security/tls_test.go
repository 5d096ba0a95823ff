package security

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"data-stream-engine/test/harness"
)

// A broker whose certificate cannot be trusted is not talked to, whatever its password; it is named, and used as soon as it
// has another one.
func TestBrokersCertificateThatCannotBeTrusted(t *testing.T) {
	ca := authority(t)
	for name, c := range map[string]struct {
		with pair
		want []string
	}{
		"expired":            {issue(t, ca, "broker", names("localhost"), expired), []string{"expired", "clock"}},
		"not yet valid":      {issue(t, ca, "broker", names("localhost"), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), []string{"not yet valid", "clock"}},
		"for another name":   {issue(t, ca, "broker", names("elsewhere.example")), []string{"KAFKA_BOOTSTRAP_SERVERS", "advertised.listeners"}},
		"of a stranger":      {issue(t, stranger(t), "broker", names("localhost")), []string{"unknown authority", "KAFKA_SSL_CA_FILE"}},
		"meant for a client": {issue(t, ca, "broker", names("localhost"), forClients), []string{"certificate", "KAFKA_SSL_CA_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t, harness.Partitions(2, 2))
			grant(t, st, user(), documented(t, st)...)
			st.Feed(100)
			giveBack := present(t, st.Client, c.with)
			engine := st.Start("one", saslEnv("SASL_SSL", "SCRAM-SHA-512"))
			engine.AwaitUnready(t, soon, append(c.want, suite.Cluster.SASLSSL)...)
			quiet(t, engine)
			giveBack()
			engine.AwaitReady(t, late)
			st.Finish(soon)
		})
	}
}

// A client certificate that the broker does not take is replaced in its files, and the engine goes on.
func TestClientCertificateIsReadAgainForEachConnection(t *testing.T) {
	ca := authority(t)
	good := issue(t, ca, "client", forClients)
	for name, c := range map[string]struct {
		with pair
		want []string
	}{
		"expired":       {issue(t, ca, "client", forClients, expired), []string{"KAFKA_SSL_CERT_FILE"}},
		"of a stranger": {issue(t, stranger(t), "client", forClients), []string{"KAFKA_SSL_CERT_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t, harness.Partitions(2, 2))
			grant(t, st, certified, documented(t, st)...)
			st.Feed(100)
			dir := t.TempDir()
			engine := st.Start("one", certifiedEnv(c.with.write(t, dir)))
			engine.AwaitUnready(t, soon, append(c.want, suite.Cluster.SSL)...)
			quiet(t, engine)
			replace(t, dir+"/client.key", good.keyPEM(t)) // half of the new one: they do not fit
			engine.AwaitUnready(t, late, "KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE", "private key does not match")
			replace(t, dir+"/client.pem", good.certPEM())
			engine.AwaitReady(t, late)
			st.Finish(soon)
		})
	}
}

// certifiedEnv are settings of an engine with a client certificate.
func certifiedEnv(certFile, keyFile string) harness.Env {
	c := suite.Cluster
	return harness.Env{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_BOOTSTRAP_SERVERS": c.SSL, "KAFKA_SSL_CA_FILE": c.CAFile,
		"KAFKA_SSL_CERT_FILE": certFile, "KAFKA_SSL_KEY_FILE": keyFile}
}

// The new certificate is another principal, and the old one may do nothing any more: who goes on has really taken it.
func TestClientCertificateIsRotatedWhileRunning(t *testing.T) {
	ca := authority(t)
	dir := t.TempDir()
	st := suite.NewStream(t, harness.Partitions(2, 2))
	rights := documented(t, st)
	grant(t, st, "User:CN=before", rights...)
	grant(t, st, "User:CN=after", rights...)
	engine := st.Start("one", certifiedEnv(issue(t, ca, "before", forClients).write(t, dir)))
	engine.AwaitReady(t, soon)
	st.Feed(100)
	st.AwaitDone(soon)
	issue(t, ca, "after", forClients).write(t, dir)
	reconnect(t)
	revoke(t, st, "User:CN=before", rights...)
	st.Feed(100)
	engine.AwaitReady(t, late)
	st.Finish(late)
}

// A password that changes at the broker stops the stream with the next connection, and not for longer than it is wrong.
func TestPasswordThatChangesWhileRunning(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			st := suite.NewStream(t, harness.Partitions(2, 2))
			name := "changing-" + mechanism
			password(t, st.Client, name, mechanism, "the first one")
			grant(t, st, "User:"+name, documented(t, st)...)
			engine := st.Start("one", saslEnv("SASL_PLAINTEXT", mechanism).With(harness.Env{"KAFKA_SASL_USERNAME": name, "KAFKA_SASL_PASSWORD": "the first one"}))
			engine.AwaitReady(t, soon)
			st.Feed(100)
			st.AwaitDone(soon)
			password(t, st.Client, name, mechanism, "another one")
			reconnect(t)
			st.Feed(100)
			engine.AwaitUnready(t, late, "KAFKA_SASL_PASSWORD", suite.Cluster.SASLPlaintext)
			quiet(t, engine)
			password(t, st.Client, name, mechanism, "the first one")
			engine.AwaitReady(t, late)
			st.Finish(late)
		})
	}
}

// password makes a user, or gives it another password.
func password(t *testing.T, client *harness.Client, name, mechanism, value string) {
	t.Helper()
	algorithm := kadm.ScramSha256
	if mechanism == "SCRAM-SHA-512" {
		algorithm = kadm.ScramSha512
	}
	answer, err := client.Admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: name, Mechanism: algorithm, Iterations: 4096, Password: value}})
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// reconnect ends every connection: the broker restarts.
func reconnect(t *testing.T) {
	t.Helper()
	if err := suite.Cluster.Down(1); err != nil {
		t.Fatal(err)
	}
	if err := suite.Cluster.Up(1); err != nil {
		t.Fatal(err)
	}
}

// What is wrong at the start and stays so: the instance says it, waits, and stops when it is told to.
func TestProtocolsThatDoNotFit(t *testing.T) {
	c := suite.Cluster
	for name, w := range map[string]struct {
		env  harness.Env
		want []string
	}{
		"plain at a TLS port":          {harness.Env{"KAFKA_BOOTSTRAP_SERVERS": c.SSL}, []string{c.SSL, "KAFKA_SECURITY_PROTOCOL"}},
		"plain at a port with a login": {harness.Env{"KAFKA_BOOTSTRAP_SERVERS": c.SASLPlaintext}, []string{c.SASLPlaintext, "KAFKA_SECURITY_PROTOCOL"}},
		"TLS at a plain port":          {harness.Env{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_FILE": c.CAFile}, []string{c.Bootstrap[0], "KAFKA_SECURITY_PROTOCOL"}},
		"a login with TLS at one without": {saslEnv("SASL_SSL", "PLAIN").With(harness.Env{"KAFKA_BOOTSTRAP_SERVERS": c.SASLPlaintext}),
			[]string{c.SASLPlaintext, "KAFKA_SECURITY_PROTOCOL"}},
		"a login at a port that has none": {saslEnv("SASL_PLAINTEXT", "PLAIN").With(harness.Env{"KAFKA_BOOTSTRAP_SERVERS": c.Bootstrap[0]}),
			[]string{c.Bootstrap[0], "KAFKA_SECURITY_PROTOCOL"}},
		"no client certificate": {certifiedEnv("", ""), []string{c.SSL, "KAFKA_SSL_CERT_FILE"}},
		"an unknown user":       {saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-256").With(harness.Env{"KAFKA_SASL_USERNAME": "nobody"}), []string{c.SASLPlaintext, "KAFKA_SASL_USERNAME"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t, harness.NoTopics())
			engine := st.Start("one", w.env)
			if name == "a login at a port that has none" { // the broker says so itself, so that there is nothing to wait for
				if code := engine.Exit(t, soon); code != 2 {
					t.Errorf("exit code %d, want 2", code)
				}
				engine.Says(t, soon, w.want...)
				return
			}
			engine.AwaitUnready(t, soon, w.want...)
			quiet(t, engine)
			engine.Stop(t)
		})
	}
}
