package utils

import (
	"errors"
	"net/url"
	"strings"
)

// checkTracing holds the settings of tracing against each other.
func (s *Settings) checkTracing(problems *SettingsError) {
	a := s.Around
	if a.OTLPEndpoint == "" {
		if a.OTLPHeaders != "" {
			problems.add("OTEL_EXPORTER_OTLP_HEADERS", "", "has no effect without OTEL_EXPORTER_OTLP_ENDPOINT", "unset, or both")
		}
		return
	}
	at, err := url.Parse(a.OTLPEndpoint)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		problems.add("OTEL_EXPORTER_OTLP_ENDPOINT", "", "is no URL of a collector", acceptedBy("OTEL_EXPORTER_OTLP_ENDPOINT"))
	case at.User != nil: // it would be seen wherever settings are
		problems.add("OTEL_EXPORTER_OTLP_ENDPOINT", "", "holds a user and a password", "a URL without them, and OTEL_EXPORTER_OTLP_HEADERS=Authorization=Basic%20...")
	case at.RawQuery != "" || at.Fragment != "":
		problems.add("OTEL_EXPORTER_OTLP_ENDPOINT", "", "has more than a path", acceptedBy("OTEL_EXPORTER_OTLP_ENDPOINT"))
	}
	if _, err := a.TracingHeaders(); err != nil {
		problems.add("OTEL_EXPORTER_OTLP_HEADERS", "", err.Error(), acceptedBy("OTEL_EXPORTER_OTLP_HEADERS"))
	}
}

// TracingHeaders are the headers of OTEL_EXPORTER_OTLP_HEADERS. Their values are percent-encoded, as in OpenTelemetry's
// specification. An error quotes none of them.
func (a Around) TracingHeaders() (map[string]string, error) {
	headers := map[string]string{}
	for part := range strings.SplitSeq(a.OTLPHeaders.Reveal(), ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if part == "" {
			continue
		}
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || err != nil || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, errors.New("is no list of headers")
		}
		headers[name] = value
	}
	return headers, nil
}

// isToken tells whether a text may be the name of an HTTP header (RFC 9110).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
