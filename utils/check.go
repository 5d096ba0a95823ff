package utils

import (
	"encoding"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxName bounds names that become part of a topic's name, of which Kafka takes 249 characters.
const maxName = 200

// minHashKey is what keeps a keyed hash from being guessed: 128 bits.
const minHashKey = 16

// minToken is what keeps a token from being guessed.
const minToken = 16

// checkField holds one setting against its tags.
func (s *Settings) checkField(f field, problems *SettingsError) {
	raw, given := s.environment[f.Name]
	if !given {
		if f.Required && !problems.has(dotenv) { // it may be there
			problems.addField(f, "", "is not set")
		}
		return
	}
	if list := f.tag.Get("oneof"); list != "" {
		i := indexFold(strings.Split(list, ","), strings.TrimSpace(raw))
		if i < 0 {
			problems.addField(f, raw, "is not one of the values it takes")
			return
		}
		f.value.SetString(strings.Split(list, ",")[i])
	}
	if f.tag.Get("pattern") == "name" && !validName(raw) {
		problems.addField(f, raw, "is not a name that Kafka takes")
	}
	if lo := f.tag.Get("min"); lo != "" && !problems.has(f.Name) {
		if n := f.value.Int(); n < bound(f, lo) || n > bound(f, f.tag.Get("max")) {
			problems.addField(f, raw, "is out of bounds")
		}
	}
}

// checkTogether holds the settings against each other, as far as each of them is right by itself.
func (s *Settings) checkTogether(problems *SettingsError) {
	if !problems.any("KAFKA_S", "KAFKA_BOOTSTRAP_SERVERS") {
		s.checkSecurity(problems)
	}
	s.checkTracing(problems)
	e := s.Engine
	if !problems.any("COMMIT_INTERVAL", "TRANSACTION_TIMEOUT") && e.CommitInterval*2 > e.TransactionTimeout {
		problems.add("COMMIT_INTERVAL", e.CommitInterval.String(), "leaves a transaction no time to end before TRANSACTION_TIMEOUT="+
			e.TransactionTimeout.String()+" aborts it", "at most half of TRANSACTION_TIMEOUT")
	}
	if !problems.any("MAX_POLL_INTERVAL", "SESSION_TIMEOUT") && e.MaxPollInterval < e.SessionTimeout {
		problems.add("MAX_POLL_INTERVAL", e.MaxPollInterval.String(), "is shorter than SESSION_TIMEOUT="+e.SessionTimeout.String(), "at least SESSION_TIMEOUT")
	}
	if !problems.any("KAFKA_FETCH_MAX_BYTES", "MAX_BATCH_BYTES") && s.Kafka.FetchMaxBytes > e.MaxBatchBytes {
		problems.add("KAFKA_FETCH_MAX_BYTES", s.Kafka.FetchMaxBytes.String(), "is larger than MAX_BATCH_BYTES="+e.MaxBatchBytes.String(), "at most MAX_BATCH_BYTES")
	}
}

// checkValues holds single settings against what tags cannot say.
func (s *Settings) checkValues(problems *SettingsError) {
	if s.Kafka.Partitions == 0 && !problems.has("KAFKA_PARTITIONS") {
		problems.add("KAFKA_PARTITIONS", "0", "is out of bounds", "-1 (the broker's default) or 1 to 10000")
	}
	if s.Kafka.ReplicationFactor == 0 && !problems.has("KAFKA_REPLICATION_FACTOR") {
		problems.add("KAFKA_REPLICATION_FACTOR", "0", "is out of bounds", "-1 (the broker's default) or 1 to 100")
	}
	if key := s.Engine.HashKey; key != "" && len(key) < minHashKey {
		problems.add("HASH_KEY", "", "has "+strconv.Itoa(len(key))+" bytes", "at least 16 bytes, for example from: openssl rand -hex 32")
	}
	s.checkToken(problems)
	if (s.Around.HTTPTLSCert == "") != (s.Around.HTTPTLSKey == "") {
		problems.add("HTTP_TLS_CERT_FILE", "", "and HTTP_TLS_KEY_FILE go together", "both or none")
	}
	if err := checkAddress(s.Around.HTTPAddr, 0); err != nil {
		problems.add("HTTP_ADDR", s.Around.HTTPAddr, err.Error(), "host:port or :port; port 0 takes a free one")
	}
}

func (s *Settings) checkToken(problems *SettingsError) {
	const accepted = "at least 16 bytes of printable ASCII, for example from: openssl rand -hex 32"
	token := s.Around.HTTPToken.Reveal()
	switch {
	case token == "":
	case len(token) < minToken:
		problems.add("HTTP_TOKEN", "", "has "+strconv.Itoa(len(token))+" bytes", accepted)
	case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }): // it has to fit into a header
		problems.add("HTTP_TOKEN", "", "has blanks or signs that are not printable ASCII", accepted)
	}
}

func (e *SettingsError) has(name string) bool {
	for _, p := range e.Problems {
		if p.Name == name {
			return true
		}
	}
	return false
}

// any tells whether a setting with one of these prefixes is wrong.
func (e *SettingsError) any(prefixes ...string) bool {
	for _, p := range e.Problems {
		for _, prefix := range prefixes {
			if strings.HasPrefix(p.Name, prefix) {
				return true
			}
		}
	}
	return false
}

// bound reads a min or max tag the way the field itself is read.
func bound(f field, text string) int64 {
	if f.value.Type() == reflect.TypeFor[time.Duration]() {
		d, _ := time.ParseDuration(text) // the tags are checked by a test
		return int64(d)
	}
	if f.value.CanAddr() {
		fresh := reflect.New(f.value.Type())
		if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](fresh); ok {
			_ = u.UnmarshalText([]byte(text))
			return fresh.Elem().Int()
		}
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func validName(name string) bool {
	return len(name) <= maxName && name != "." && name != ".." && regexp.MustCompile(`^[a-zA-Z0-9._-]+$`).MatchString(name)
}

func indexFold(list []string, s string) int {
	for i, v := range list {
		if strings.EqualFold(v, s) {
			return i
		}
	}
	return -1
}
