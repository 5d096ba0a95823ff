package utils

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, dotenv string, environ ...string) (*Settings, error) {
	t.Helper()
	dir := t.TempDir()
	if dotenv != "" {
		write(t, filepath.Join(dir, ".env"), dotenv)
	}
	return Load(dir, environ)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t *testing.T, dotenv string, environ ...string) *Settings {
	t.Helper()
	s, err := load(t, dotenv, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRealEnvironmentWinsOverDotenv(t *testing.T) {
	s := mustLoad(t, "KAFKA_BOOTSTRAP_SERVERS=embedded\nCOMMIT_INTERVAL=200ms # why\n", "KAFKA_BOOTSTRAP_SERVERS=a:9092, b:9093")
	if got := s.Kafka.BootstrapServers.String(); got != "a:9092,b:9093" || s.Kafka.IsEmbedded() {
		t.Errorf("brokers are %q", got)
	}
	if s.Engine.CommitInterval != 200*time.Millisecond {
		t.Errorf("commit interval of .env is lost: %s", s.Engine.CommitInterval)
	}
}

func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	s := mustLoad(t, "", "KAFKA_BOOTSTRAP_SERVERS=a:9092")
	for _, row := range s.Rows() {
		if want := row.Default; want != row.Value && !row.Required {
			t.Errorf("%s is %q without being set, documented as %q", row.Name, row.Value, want)
		}
	}
	if s.Kafka.AutoCreateTopics || s.Around.GeneratorRate != 0 || !s.Engine.ExactlyOnce() {
		t.Error("defaults are not those of production")
	}
}

func TestEmptyMeansNotSet(t *testing.T) {
	s := mustLoad(t, "KAFKA_BOOTSTRAP_SERVERS=embedded", "COMMIT_INTERVAL=", "KAFKA_BOOTSTRAP_SERVERS= ", "KAFKA_PARTITIONS=")
	if s.Engine.CommitInterval != 100*time.Millisecond || !s.Kafka.IsEmbedded() {
		t.Errorf("interval %s, brokers %s", s.Engine.CommitInterval, s.Kafka.BootstrapServers)
	}
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	wrong := map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": "kafka", "KAFKA_GROUP_ID": "a b", "KAFKA_AUTO_OFFSET_RESET": "middle", "KAFKA_PARTITIONS": "many",
		"KAFKA_AUTO_CREATE_TOPICS": "maybe", "KAFKA_COMPRESSION": "zip", "COMMIT_INTERVAL": "100", "COMMIT_MAX_BYTES": "1 lot",
		"SESSION_TIMEOUT": "1h", "DELIVERY_GUARANTEE": "at_most_once", "LOG_LEVEL": "loud", "GENERATOR_RATE": "-1", "COMMIT_MAX_RECORDS": "0",
		"HTTP_ADDR": "8080", "KAFKA_REPLICATION_FACTOR": "0",
	}
	var environ []string
	for name, value := range wrong {
		environ = append(environ, name+"="+value)
	}
	_, err := load(t, "", environ...)
	var problems *SettingsError
	if !errors.As(err, &problems) {
		t.Fatalf("error is %v", err)
	}
	if len(problems.Problems) != len(wrong) {
		t.Errorf("%d problems, want %d:\n%v", len(problems.Problems), len(wrong), err)
	}
	for _, p := range problems.Problems {
		if wrong[p.Name] != p.Value || p.Accepted == "" || !strings.Contains(err.Error(), p.Accepted) {
			t.Errorf("problem %+v is not told in full", p)
		}
	}
}

func TestSettingsThatContradictEachOther(t *testing.T) {
	for name, environ := range map[string][]string{
		"KAFKA_SASL_PASSWORD":     {"KAFKA_SECURITY_PROTOCOL=SASL_SSL", "KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u"},
		"KAFKA_SASL_MECHANISM":    {"KAFKA_SECURITY_PROTOCOL=SASL_SSL", "KAFKA_SASL_PASSWORD=p", "KAFKA_SASL_USERNAME=u"},
		"KAFKA_SASL_USERNAME":     {"KAFKA_SASL_USERNAME=u"},
		"KAFKA_SSL_CERT_FILE":     {"KAFKA_SECURITY_PROTOCOL=SSL", "KAFKA_SSL_CERT_FILE=x"},
		"KAFKA_SSL_CA_FILE":       {"KAFKA_SECURITY_PROTOCOL=SSL", "KAFKA_SSL_CA_FILE=/nowhere/ca.pem"},
		"KAFKA_SSL_KEY_FILE":      {"KAFKA_SSL_KEY_FILE=x"},
		"KAFKA_SECURITY_PROTOCOL": {"KAFKA_BOOTSTRAP_SERVERS=embedded", "KAFKA_SECURITY_PROTOCOL=SSL"},
		"COMMIT_INTERVAL":         {"COMMIT_INTERVAL=6s"},
		"MAX_POLL_INTERVAL":       {"SESSION_TIMEOUT=1m", "MAX_POLL_INTERVAL=30s"},
		"KAFKA_FETCH_MAX_BYTES":   {"KAFKA_FETCH_MAX_BYTES=4MiB", "MAX_BATCH_BYTES=1MiB"},
		"HASH_KEY":                {"HASH_KEY=short"},
		"HTTP_ADDR":               {"HTTP_ADDR=8080"},
		"KAFKA_PARTITIONS":        {"KAFKA_PARTITIONS=0"},
		"HTTP_TOKEN":              {"HTTP_TOKEN=fifteen-bytes.."},
		"HTTP_TLS_CERT_FILE":      {"HTTP_TLS_CERT_FILE=cert.pem"},
	} {
		_, err := load(t, "KAFKA_BOOTSTRAP_SERVERS=a:9092", environ...)
		var problems *SettingsError
		if !errors.As(err, &problems) || !problems.has(name) {
			t.Errorf("%v: error does not name %s: %v", environ, name, err)
		}
	}
}

func TestSecretsComeFromFilesAndAreNeverPrinted(t *testing.T) {
	const password, key = "p4ssw0rd-of-file", "0123456789abcdef-key"
	path := filepath.Join(t.TempDir(), "password")
	write(t, path, password+"\n")
	s := mustLoad(t, "HASH_KEY="+key, "KAFKA_BOOTSTRAP_SERVERS=a:9092", "KAFKA_SECURITY_PROTOCOL=SASL_SSL",
		"KAFKA_SASL_MECHANISM=scram-sha-512", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD_FILE="+path)
	if s.Kafka.SASLPassword.Reveal() != password || s.Engine.HashKey.Reveal() != key {
		t.Fatal("a secret was not read")
	}
	if s.Kafka.SASLMechanism != "SCRAM-SHA-512" {
		t.Errorf("mechanism is %q", s.Kafka.SASLMechanism)
	}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(encoded) + fmt.Sprint(s.Rows())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed += fmt.Sprintf(verb, *s) + fmt.Sprintf(verb, s.Kafka.SASLPassword)
	}
	for _, secret := range []string{password, key, fmt.Sprintf("%x", password)} {
		if strings.Contains(printed, secret) {
			t.Errorf("secret %q is printed", secret)
		}
	}
	if _, ok := s.Lookup("HASH_KEY"); ok {
		t.Error("a pipeline file can read HASH_KEY")
	}
}

func TestSecretProblemsDoNotPrintTheSecret(t *testing.T) {
	_, err := load(t, "", "KAFKA_BOOTSTRAP_SERVERS=a:9092", "HASH_KEY=tiny-secret", "KAFKA_SASL_PASSWORD=another-secret")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v", err)
	}
}

func TestSecretFileOfTheEnvironmentBeatsDotenv(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, "fedcba9876543210")
	s := mustLoad(t, "HASH_KEY=0123456789abcdef", "KAFKA_BOOTSTRAP_SERVERS=a:9092", "HASH_KEY_FILE="+path)
	if s.Engine.HashKey.Reveal() != "fedcba9876543210" {
		t.Error("the value of .env won over the file of the environment")
	}
	_, err := load(t, "", "KAFKA_BOOTSTRAP_SERVERS=a:9092", "HASH_KEY=0123456789abcdef", "HASH_KEY_FILE="+path)
	if err == nil || !strings.Contains(err.Error(), "together with HASH_KEY_FILE") {
		t.Errorf("both at once: %v", err)
	}
	_, err = load(t, "", "KAFKA_BOOTSTRAP_SERVERS=a:9092", "HASH_KEY_FILE="+path+"-not-there")
	if err == nil || !strings.Contains(err.Error(), "HASH_KEY_FILE") {
		t.Errorf("missing file: %v", err)
	}
}

func TestWhoNeedsNoSecretNeedsNotItsFile(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	write(t, token, "0123456789abcdef")
	environ := []string{"KAFKA_SASL_PASSWORD_FILE=/nowhere", "HTTP_TOKEN_FILE=" + token, "HTTP_ADDR=:1"}
	lookup, err := Environment(dir, environ)
	if err != nil {
		t.Fatal(err)
	}
	if addr, _ := lookup("HTTP_ADDR"); addr != ":1" {
		t.Errorf("HTTP_ADDR is %q", addr)
	}
	for _, name := range []string{"HTTP_TOKEN", "HTTP_TOKEN_FILE", "KAFKA_SASL_PASSWORD_FILE"} {
		if _, ok := lookup(name); ok {
			t.Errorf("%s can be looked up", name)
		}
	}
	if found, err := FindSecret(dir, environ, "HTTP_TOKEN"); err != nil || found.Reveal() != "0123456789abcdef" {
		t.Errorf("%v", err)
	}
	if _, err := FindSecret(dir, environ, "KAFKA_SASL_PASSWORD"); err == nil {
		t.Error("a file that is not there is no error for who wants it")
	}
}

func TestUnknownSettingsAreWarnedAbout(t *testing.T) {
	s := mustLoad(t, "", "KAFKA_BOOTSTRAP_SERVERS=a:9092", "KAFKA_GROUPID=x", "COMMIT_INTERVALL=1s", "KAFKA_SERVICE_HOST=10.0.0.1",
		"KAFKA_PORT=tcp://10.0.0.1:9092", "KAFKA_PORT_9092_TCP_ADDR=10.0.0.1", "KAFKA_SERVICE_PORT_CLIENT=9092", "HTTP_PROXY=x", "HOME=/root")
	want := []string{
		"COMMIT_INTERVALL is not a setting and has no effect; did you mean COMMIT_INTERVAL?",
		"KAFKA_GROUPID is not a setting and has no effect; did you mean KAFKA_GROUP_ID?",
	}
	if !slices.Equal(s.Warnings, want) {
		t.Errorf("warnings: %q", s.Warnings)
	}
}

func TestBrokenDotenvIsNamedAndNotQuoted(t *testing.T) {
	for content, where := range map[string]string{
		"this is not a setting\n":                                    "line 1 ",
		"A=\"one\ntwo\"\n\n# why\nKAFKA-SASL=x\nHASH_KEY=a-secret\n": "line 5 ",
		"A=1\r\nHASH_KEY=\"a-secret\r\nB=2\r\n":                      "line 2 ",
		"A=1\nB='a-secret":                                           "line 2 ",
	} {
		// What it would have set may be in it: that is not called missing as well.
		_, err := load(t, content)
		if err == nil || !strings.Contains(err.Error(), ".env "+where) || strings.Contains(err.Error(), "KAFKA") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error is %v", content, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, nil); err == nil || !strings.Contains(err.Error(), ".env cannot be read: ") {
		t.Errorf("a folder: %v", err)
	}
}

func TestLookupSeesDotenv(t *testing.T) {
	s := mustLoad(t, "KAFKA_SOURCE_TOPIC=logins", "KAFKA_BOOTSTRAP_SERVERS=a:9092", "EMPTY=")
	if v, ok := s.Lookup("KAFKA_SOURCE_TOPIC"); !ok || v != "logins" {
		t.Errorf("KAFKA_SOURCE_TOPIC is %q, %v", v, ok)
	}
	if _, ok := s.Lookup("EMPTY"); ok {
		t.Error("a variable set to nothing counts as set")
	}
}

// The tags are data; this keeps them sound.
func TestTagsOfSettings(t *testing.T) {
	names := map[string]bool{}
	for _, f := range fieldsOf(&Settings{}) {
		if f.Name == "" || f.Meaning == "" || f.Accepted == "" || names[f.Name] || names[f.goName] {
			t.Errorf("%s: name, meaning, accepted or uniqueness is missing: %+v", f.goName, f.Setting)
		}
		names[f.Name], names[f.goName] = true, true
		if lo, hi := f.tag.Get("min"), f.tag.Get("max"); lo != "" && bound(f, lo) >= bound(f, hi) {
			t.Errorf("%s: bounds %s and %s", f.Name, lo, hi)
		}
		if f.Secret && f.Default != "" {
			t.Errorf("%s: a secret with a default", f.Name)
		}
		if f.tag.Get("oneof") != "" && f.value.Kind() != reflect.String {
			t.Errorf("%s: oneof on a %s", f.Name, f.value.Kind())
		}
	}
	if !strings.Contains(Markdown(), "| `COMMIT_INTERVAL` | `100ms` | 10ms to 1m |") {
		t.Error("the table of the README lacks a row")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1048576": 1 << 20, "1MiB": 1 << 20, "512KiB": 512 << 10, "2 GiB": 2 << 30, "1000": 1000} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q does not read back from %q", text, s)
		}
	}
	for _, text := range []string{"", "-1", "1MB", "x", "9999999999GiB", "1.5MiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %d", text, s)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{"a:1": "a:1", "a:1,b:2": "a:1,b:2", "[::1]:9092": "[::1]:9092", "Embedded": "embedded", "a:1,": "a:1"} {
		var a Addresses
		if err := a.UnmarshalText([]byte(text)); err != nil || a.String() != want {
			t.Errorf("%q is %q, %v", text, a, err)
		}
	}
	for _, text := range []string{"a", "a:0", "a:x", ":9092", "a:70000", "http://a:9092", "embedded,a:1", ",", "::1:9092"} {
		var a Addresses
		if err := a.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %q", text, a)
		}
	}
}

func TestTokenFitsIntoAHeaderAndIsNeverShown(t *testing.T) {
	for _, token := range []string{"0123456789 abcdef", "0123456789abcdef\t", "0123456789abcd\u00e9", "short"} {
		_, err := load(t, "KAFKA_BOOTSTRAP_SERVERS=embedded", "HTTP_TOKEN="+token)
		var problems *SettingsError
		if !errors.As(err, &problems) || !problems.has("HTTP_TOKEN") || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", token, err)
		}
	}
	s := mustLoad(t, "KAFKA_BOOTSTRAP_SERVERS=embedded", "HTTP_TOKEN=0123456789abcdef")
	if got := s.Around.HTTPToken.Reveal(); got != "0123456789abcdef" {
		t.Errorf("%q", got)
	}
}
