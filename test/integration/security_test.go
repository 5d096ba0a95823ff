package integration

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"data-stream-engine/test/harness"
)

// witness connects the test itself. On a real broker that is the plain listener; the embedded target has a broker of its
// own for each way in, so there the test has to come the same way.
func witness(t *testing.T, address string) harness.Shape {
	t.Helper()
	c := suite.Cluster
	if c.AdminUsername == "" {
		return harness.Through()
	}
	options := []kgo.Opt{kgo.SeedBrokers(address)}
	if address != c.SASLPlaintext {
		options = append(options, kgo.DialTLSConfig(clientTLS(t)))
	}
	if address != c.SSL {
		options = append(options, kgo.SASL(plain.Auth{User: c.AdminUsername, Pass: c.AdminPassword}.AsMechanism()))
	}
	return harness.Through(options...)
}

func clientTLS(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(suite.Cluster.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(suite.Cluster.CertFile, suite.Cluster.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
}

func saslEnv(protocol, mechanism string) harness.Env {
	c := suite.Cluster
	env := harness.Env{"KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_SASL_MECHANISM": mechanism, "KAFKA_SASL_USERNAME": c.Username, "KAFKA_SASL_PASSWORD": c.Password}
	env["KAFKA_BOOTSTRAP_SERVERS"] = c.SASLPlaintext
	if protocol == "SASL_SSL" {
		env["KAFKA_BOOTSTRAP_SERVERS"], env["KAFKA_SSL_CA_FILE"] = c.SASLSSL, c.CAFile
	}
	return env
}

func TestEventsFlowThroughEachWayIn(t *testing.T) {
	c := suite.Cluster
	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte(c.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ways := map[string]harness.Env{
		"mutual TLS": {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_BOOTSTRAP_SERVERS": c.SSL, "KAFKA_SSL_CA_FILE": c.CAFile,
			"KAFKA_SSL_CERT_FILE": c.CertFile, "KAFKA_SSL_KEY_FILE": c.KeyFile},
		"password from a file": saslEnv("SASL_SSL", "SCRAM-SHA-512").With(harness.Env{"KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": passwordFile}),
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		for _, protocol := range []string{"SASL_SSL", "SASL_PLAINTEXT"} {
			ways[protocol+" "+mechanism] = saslEnv(protocol, mechanism)
		}
	}
	for name, env := range ways {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t, witness(t, env["KAFKA_BOOTSTRAP_SERVERS"]))
			engine := st.Start("one", env)
			engine.AwaitReady(t, soon)
			st.Feed(300)
			st.Finish(soon)
			engine.Stop(t)
			if strings.Contains(engine.Log(), c.Password) {
				t.Error("the password is in the log")
			}
		})
	}
}

func TestRefusedConnectionsAreNamed(t *testing.T) {
	c := suite.Cluster
	ways := map[string]struct {
		env  harness.Env
		want []string // in /readyz
	}{
		"wrong password, PLAIN": {saslEnv("SASL_SSL", "PLAIN").With(harness.Env{"KAFKA_SASL_PASSWORD": "a wrong one"}), []string{"KAFKA_SASL_PASSWORD"}},
		"wrong password, SCRAM": {saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-256").With(harness.Env{"KAFKA_SASL_PASSWORD": "a wrong one"}), []string{"KAFKA_SASL_PASSWORD"}},
		"unknown user":          {saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512").With(harness.Env{"KAFKA_SASL_USERNAME": "nobody"}), []string{"KAFKA_SASL_USERNAME"}},
		"unknown CA":            {saslEnv("SASL_SSL", "SCRAM-SHA-512").With(harness.Env{"KAFKA_SSL_CA_FILE": ""}), []string{"KAFKA_SSL_CA_FILE"}},
		"no client certificate": {harness.Env{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_BOOTSTRAP_SERVERS": c.SSL, "KAFKA_SSL_CA_FILE": c.CAFile}, []string{"KAFKA_SSL_CERT_FILE"}},
		"TLS on a plain port":   {harness.Env{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_FILE": c.CAFile}, []string{"KAFKA_SECURITY_PROTOCOL"}},
		"plain on a TLS port":   {harness.Env{"KAFKA_BOOTSTRAP_SERVERS": c.SASLSSL}, []string{c.SASLSSL}},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			want := way.want
			if suite.IsEmbedded() && strings.HasPrefix(want[0], "KAFKA_SASL_") {
				want = []string{"closed the connection"} // that is all its broker says
			}
			if suite.IsEmbedded() && want[0] == "KAFKA_SECURITY_PROTOCOL" {
				want = []string{suite.Cluster.Bootstrap[0]} // its broker waits for the rest of what it takes for a request
			}
			st := suite.NewStream(t, harness.NoTopics())
			engine := st.Start("one", way.env)
			engine.AwaitUnready(t, soon, want...)
			if engine.Fate() != "running" {
				t.Errorf("it has ended: %s", engine.Fate())
			}
			if password := way.env["KAFKA_SASL_PASSWORD"]; password != "" && strings.Contains(engine.Log(), password) {
				t.Error("the password is in the log")
			}
			began := time.Now()
			engine.Stop(t)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s to stop", took)
			}
		})
	}
}

// A call that an ACL forbids is named with the ACL that is missing, and works as soon as it is there.
func TestMissingACLIsNamedAndWaitedFor(t *testing.T) {
	c := suite.Cluster
	for _, denied := range []struct {
		name   string
		acl    func(*kadm.ACLBuilder, *harness.Stream) *kadm.ACLBuilder
		wanted func(*harness.Stream) []string
	}{
		{"read the source",
			func(b *kadm.ACLBuilder, st *harness.Stream) *kadm.ACLBuilder {
				return b.Topics(st.Source).Operations(kadm.OpRead)
			},
			func(st *harness.Stream) []string { return []string{st.Source, "READ"} }},
		{"write the output",
			func(b *kadm.ACLBuilder, st *harness.Stream) *kadm.ACLBuilder {
				return b.Topics(st.Output).Operations(kadm.OpWrite)
			},
			func(st *harness.Stream) []string { return []string{st.Output, "WRITE"} }},
		{"read the group",
			func(b *kadm.ACLBuilder, st *harness.Stream) *kadm.ACLBuilder {
				return b.Groups(st.Group).Operations(kadm.OpRead)
			},
			func(st *harness.Stream) []string { return []string{st.Group, "READ"} }},
		{"write the transactional id",
			func(b *kadm.ACLBuilder, st *harness.Stream) *kadm.ACLBuilder {
				return b.TransactionalIDs(st.Group + "-one").Operations(kadm.OpWrite)
			},
			func(st *harness.Stream) []string { return []string{st.Group + "-one", "WRITE"} }},
	} {
		t.Run(denied.name, func(t *testing.T) {
			env := saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512")
			st := suite.NewStream(t, witness(t, c.SASLPlaintext))
			st.Logins.Broken = 0 // the embedded broker refuses all partitions with one, and the engine names the first
			st.Feed(200)
			rule := func() *kadm.ACLBuilder {
				return denied.acl(kadm.NewACLs(), st).Deny("User:" + c.Username).DenyHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
			}
			// All else stays allowed, so that the call itself is refused and not already the look at what there is.
			rest := denied.acl(kadm.NewACLs(), st).Operations(kadm.OpAll).Allow("User:" + c.Username).AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
			for _, acls := range []*kadm.ACLBuilder{rest, rule()} {
				if results, err := st.Client.Admin.CreateACLs(t.Context(), acls); err != nil || results[0].Err != nil {
					t.Fatal(err, results)
				}
			}
			engine := st.Start("one", env)
			engine.AwaitUnready(t, soon, denied.wanted(st)...)
			if results, err := st.Client.Admin.DeleteACLs(t.Context(), rule()); err != nil || results[0].Err != nil || len(results[0].Deleted) == 0 {
				t.Fatal(err, results)
			}
			engine.AwaitReady(t, late)
			st.Finish(soon)
		})
	}
}
