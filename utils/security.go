package utils

import "strings"

// checkSecurity holds the settings of TLS and SASL against each other, and reads the files that they name.
func (s *Settings) checkSecurity(problems *SettingsError) {
	k := s.Kafka
	before := len(problems.Problems)
	if k.IsEmbedded() && k.SecurityProtocol != "PLAINTEXT" {
		problems.add("KAFKA_SECURITY_PROTOCOL", k.SecurityProtocol, "cannot be had from the embedded broker", "PLAINTEXT, or brokers of your own in KAFKA_BOOTSTRAP_SERVERS")
	}
	s.checkSASL(problems)
	s.checkTLS(problems)
	if len(problems.Problems) > before {
		return
	}
	if _, err := k.tlsConfig(); err != nil {
		name, text, _ := strings.Cut(err.Error(), ": ")
		problems.add(name, "", "cannot be used: "+text, "PEM files")
	}
	if _, err := k.mechanism(); err != nil {
		name, text, _ := strings.Cut(err.Error(), ": ")
		problems.add(name, "", text, "")
	}
}

func (s *Settings) checkSASL(problems *SettingsError) {
	k := s.Kafka
	given := []struct {
		name string
		set  bool
	}{
		{"KAFKA_SASL_MECHANISM", k.SASLMechanism != ""},
		{"KAFKA_SASL_USERNAME", k.SASLUsername != ""},
		{"KAFKA_SASL_PASSWORD", k.SASLPassword != ""},
	}
	for _, g := range given {
		switch {
		case k.UsesSASL() && !g.set:
			problems.add(g.name, "", "is not set, but KAFKA_SECURITY_PROTOCOL="+k.SecurityProtocol+" needs it", acceptedBy(g.name))
		case !k.UsesSASL() && g.set:
			problems.add(g.name, "", "has no effect with KAFKA_SECURITY_PROTOCOL="+k.SecurityProtocol, "unset, or KAFKA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAINTEXT")
		}
	}
	if k.SecurityProtocol == "SASL_PLAINTEXT" && k.SASLMechanism == "PLAIN" {
		s.Warnings = append(s.Warnings, "KAFKA_SASL_MECHANISM=PLAIN over SASL_PLAINTEXT sends the password in the clear; use SASL_SSL or SCRAM")
	}
}

func (s *Settings) checkTLS(problems *SettingsError) {
	k := s.Kafka
	for _, f := range []struct{ name, path string }{
		{"KAFKA_SSL_CA_FILE", k.SSLCAFile}, {"KAFKA_SSL_CERT_FILE", k.SSLCertFile}, {"KAFKA_SSL_KEY_FILE", k.SSLKeyFile},
	} {
		if f.path != "" && !k.UsesTLS() {
			problems.add(f.name, f.path, "has no effect with KAFKA_SECURITY_PROTOCOL="+k.SecurityProtocol, "unset, or KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL")
		}
	}
	if (k.SSLCertFile == "") != (k.SSLKeyFile == "") {
		problems.add("KAFKA_SSL_CERT_FILE", "", "and KAFKA_SSL_KEY_FILE go together", "both or none")
	}
}

func acceptedBy(name string) string {
	for _, s := range Table() {
		if s.Name == name {
			return s.Accepted
		}
	}
	return ""
}
