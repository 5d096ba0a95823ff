package security

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"data-stream-engine/test/harness"
)

// right is what one line of docs/security.md allows: one operation on one thing.
type right struct {
	operation string // as kafka-acls.sh spells it: Read, DescribeConfigs
	kind      string // topic, group, transactional-id
	name      string
	prefixed  bool
	create    bool // only with KAFKA_AUTO_CREATE_TOPICS
}

func (r right) String() string { return r.operation + " " + r.kind + " " + r.name }

// beside tells of a right that the stream itself does not need.
func (r right) beside() bool {
	return strings.HasSuffix(r.name, "-recorder") || strings.HasSuffix(r.name, "-replay")
}

// named is how an error names the operation.
func (r right) named() string {
	if r.operation == "DescribeConfigs" {
		return "DESCRIBE_CONFIGS"
	}
	return strings.ToUpper(r.operation)
}

// documented reads the commands of docs/security.md, with the names of a stream in place of the variables.
func documented(t *testing.T, st *harness.Stream) []right {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(suite.Root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- acls: held to the broker by test/security -->")
	block, _, closed := strings.Cut(rest, "<!-- end of acls -->")
	if !found || !closed {
		t.Fatal("docs/security.md has no list of ACLs between its two marks")
	}
	names := strings.NewReplacer("$SOURCE", st.Source, "$OUTPUT", st.Output, "$GROUP", st.Group)
	var all []right
	create := false
	for line := range strings.Lines(block) {
		if strings.HasPrefix(line, "#") {
			create = strings.Contains(line, "KAFKA_AUTO_CREATE_TOPICS")
		}
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "allow" {
			continue
		}
		r := right{create: create}
		var operations []string
		for i := 1; i < len(words); i++ {
			switch words[i] {
			case "--operation":
				operations, i = append(operations, words[i+1]), i+1
			case "--topic", "--group", "--transactional-id":
				r.kind, r.name, i = strings.TrimPrefix(words[i], "--"), names.Replace(words[i+1]), i+1
			case "--resource-pattern-type":
				r.prefixed, i = words[i+1] == "prefixed", i+1
			default:
				t.Fatalf("docs/security.md: %q in %s", words[i], line)
			}
		}
		for _, r.operation = range operations {
			all = append(all, r)
		}
	}
	if len(all) < 11 {
		t.Fatalf("docs/security.md names %d rights: %v", len(all), all)
	}
	return all
}

// builder is a right as the admin API takes it.
func (r right) builder(t *testing.T, principal string) *kadm.ACLBuilder {
	t.Helper()
	b := kadm.NewACLs().Allow(principal).AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
	if r.prefixed {
		b.ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	switch r.kind {
	case "topic":
		b.Topics(r.name)
	case "group":
		b.Groups(r.name)
	case "transactional-id":
		b.TransactionalIDs(r.name)
	}
	operations := map[string]kadm.ACLOperation{"Read": kadm.OpRead, "Write": kadm.OpWrite, "Create": kadm.OpCreate, "Alter": kadm.OpAlter, "Describe": kadm.OpDescribe, "DescribeConfigs": kadm.OpDescribeConfigs}
	operation, ok := operations[r.operation]
	if !ok {
		t.Fatalf("%s: no such operation", r)
	}
	return b.Operations(operation)
}

// grant gives rights to a user of the cluster.
func grant(t *testing.T, st *harness.Stream, principal string, rights ...right) {
	t.Helper()
	for _, r := range rights {
		if results, err := st.Client.Admin.CreateACLs(t.Context(), r.builder(t, principal)); err != nil || len(results) != 1 || results[0].Err != nil {
			t.Fatal(r, err, results)
		}
	}
}

// revoke takes them away again.
func revoke(t *testing.T, st *harness.Stream, principal string, rights ...right) {
	t.Helper()
	for _, r := range rights {
		if results, err := st.Client.Admin.DeleteACLs(t.Context(), r.builder(t, principal)); err != nil || len(results) != 1 || results[0].Err != nil || len(results[0].Deleted) != 1 {
			t.Fatal(r, err, results)
		}
	}
}

func without(rights []right, not func(right) bool) []right {
	return slices.DeleteFunc(slices.Clone(rights), not)
}

// user is the principal of the engines that log in with the cluster's name and password.
func user() string { return "User:" + suite.Cluster.Username }

// certified is the principal of the client certificate.
const certified = "User:CN=client"

// saslEnv are settings of an engine that logs in.
func saslEnv(protocol, mechanism string) harness.Env {
	c := suite.Cluster
	env := harness.Env{"KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_SASL_MECHANISM": mechanism, "KAFKA_SASL_USERNAME": c.Username, "KAFKA_SASL_PASSWORD": c.Password}
	env["KAFKA_BOOTSTRAP_SERVERS"] = c.SASLPlaintext
	if protocol == "SASL_SSL" {
		env["KAFKA_BOOTSTRAP_SERVERS"], env["KAFKA_SSL_CA_FILE"] = c.SASLSSL, c.CAFile
	}
	return env
}

// The list is enough for everything, whichever way the engine logs in, and with topics that somebody else has created.
func TestDocumentedRightsAreEnough(t *testing.T) {
	c := suite.Cluster
	type way struct {
		env       harness.Env
		principal string
	}
	ways := map[string]way{
		"mutual TLS": {harness.Env{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_BOOTSTRAP_SERVERS": c.SSL, "KAFKA_SSL_CA_FILE": c.CAFile,
			"KAFKA_SSL_CERT_FILE": c.CertFile, "KAFKA_SSL_KEY_FILE": c.KeyFile}, certified},
		"at least once":     {saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512").With(harness.Env{"DELIVERY_GUARANTEE": "at_least_once"}), user()},
		"topics that exist": {saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512").With(harness.Env{"KAFKA_AUTO_CREATE_TOPICS": "false"}), user()},
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		for _, protocol := range []string{"SASL_SSL", "SASL_PLAINTEXT"} {
			ways[protocol+" "+mechanism] = way{saslEnv(protocol, mechanism), user()}
		}
	}
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t, harness.Apart(), harness.Partitions(2, 2))
			rights := documented(t, st)
			if w.env["KAFKA_AUTO_CREATE_TOPICS"] == "false" {
				rights = without(rights, func(r right) bool { return r.create })
				createDerived(t, st)
			}
			if name == "at least once" {
				rights = without(rights, func(r right) bool { return r.kind == "transactional-id" || r.beside() })
			}
			grant(t, st, w.principal, rights...)
			engine := st.Start("one", w.env)
			engine.AwaitReady(t, soon)
			st.Feed(300)
			if name == "at least once" {
				st.AwaitDone(soon)
			} else {
				st.Finish(soon)
			}
			insightsCome(t, st)
			engine.Stop(t)
			if strings.Contains(engine.Log(), "AUTHORIZATION_FAILED") || strings.Contains(engine.Log(), "Authorization Failed") {
				t.Error("something was not allowed")
			}
		})
	}
}

// Each of them is needed: without it the engine says which one is missing and for what, and goes on once it is there.
func TestEachMissingRightIsNamedAndWaitedFor(t *testing.T) {
	probe := suite.NewStream(t, harness.NoTopics(), harness.Apart())
	for i, example := range documented(t, probe) {
		if example.beside() {
			continue // they have tests of their own
		}
		t.Run(strings.Replace(example.String(), probe.Group, "GROUP", 1), func(t *testing.T) {
			t.Parallel()
			st := suite.NewStream(t, harness.Apart(), harness.Partitions(2, 2))
			st.Logins.Broken = 0
			rights := documented(t, st)
			missing := rights[i]
			grant(t, st, user(), without(rights, func(r right) bool { return r == missing })...)
			st.Feed(200)
			engine := st.Start("one", saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512"))
			engine.AwaitUnready(t, soon, strings.TrimSuffix(missing.name, "-"), "an ACL is missing: the user needs", missing.named())
			quiet(t, engine)
			grant(t, st, user(), missing)
			engine.AwaitReady(t, late)
			st.Finish(late)
			insightsCome(t, st)
		})
	}
}

// A right that is taken away while the engine works stops it with the same words.
func TestRightTakenAwayWhileRunning(t *testing.T) {
	probe := suite.NewStream(t, harness.NoTopics(), harness.Apart())
	for i, example := range documented(t, probe) {
		if example.create || example.operation == "DescribeConfigs" || example.beside() {
			continue // needed at the start only, or not by the stream
		}
		t.Run(strings.Replace(example.String(), probe.Group, "GROUP", 1), func(t *testing.T) {
			t.Parallel()
			st := suite.NewStream(t, harness.Apart(), harness.Partitions(2, 2))
			st.Logins.Broken = 0
			rights := documented(t, st)
			grant(t, st, user(), rights...)
			engine := st.Start("one", saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512"))
			engine.AwaitReady(t, soon)
			st.Feed(100)
			st.AwaitDone(soon)
			revoke(t, st, user(), rights[i])
			stop := st.FeedFor(20)
			engine.AwaitUnready(t, late, strings.TrimSuffix(rights[i].name, "-"), "an ACL is missing: the user needs", rights[i].named())
			grant(t, st, user(), rights[i])
			engine.AwaitReady(t, late)
			stop()
			st.Finish(late)
		})
	}
}

// createDerived makes the topics of a group as docs/security.md says, for an engine that may not.
func createDerived(t *testing.T, st *harness.Stream) {
	t.Helper()
	st.Client.CreateTopic(t, st.Group+"-partials", 2, "cleanup.policy=delete", "max.message.bytes=8388608")
	st.Client.CreateTopic(t, st.Group+"-changelog", 2, "cleanup.policy=compact", "max.message.bytes=8388608")
	st.Client.CreateTopic(t, st.Group+"-insights", 2, "cleanup.policy=compact,delete", "max.message.bytes=8388608")
	st.Client.CreateTopic(t, st.Group+"-control", 1, "cleanup.policy=compact")
}

func insightsCome(t *testing.T, st *harness.Stream) {
	t.Helper()
	harness.Until(t, soon, "insights come", func(ctx context.Context) error {
		all, err := st.Client.ReadAll(ctx, st.Group+"-insights")
		if err == nil && len(all) == 0 {
			err = errors.New("there are none")
		}
		return err
	})
}

// quiet fails unless an engine that can do nothing also does nothing: no busy loop, no flood of lines.
func quiet(t *testing.T, engine *harness.Instance) {
	t.Helper()
	const span = 4 * time.Second
	cpu, lines := engine.Metric(t, "process_cpu_seconds_total"), strings.Count(engine.Log(), "\n")
	time.Sleep(span)
	cpu, lines = engine.Metric(t, "process_cpu_seconds_total")-cpu, strings.Count(engine.Log(), "\n")-lines
	if cpu > span.Seconds()/4 || lines > 20 {
		t.Errorf("in %s it used %.2f s of CPU and wrote %d lines", span, cpu, lines)
	}
}
