package utils

import (
	"maps"
	"strings"
	"testing"
)

func TestTracingHeaders(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"":                               {},
		"a=b":                            {"a": "b"},
		" api-key = k , b=c=d, ":         nil,
		"api-key = k ,b=c=d,":            {"api-key": "k", "b": "c=d"},
		"Authorization=Basic%20dTpw":     {"Authorization": "Basic dTpw"},
		"x=%2C":                          {"x": ","},
		"novalue":                        nil,
		"=v":                             nil,
		"a b=v":                          nil,
		"a:b=v":                          nil,
		"a=%0d%0aInjected: yes":          nil,
		"a=%zz":                          nil,
		"a=" + strings.Repeat("x", 5000): {"a": strings.Repeat("x", 5000)},
	} {
		got, err := Around{OTLPHeaders: Secret(text)}.TracingHeaders()
		if (err == nil) != (want != nil) || err == nil && !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestTracingSettingsAreChecked(t *testing.T) {
	const endpoint, headers = "OTEL_EXPORTER_OTLP_ENDPOINT=", "OTEL_EXPORTER_OTLP_HEADERS="
	for _, c := range []struct {
		env  []string
		want string // in the error; empty: none
	}{
		{[]string{endpoint + "http://localhost:4318"}, ""},
		{[]string{endpoint + "https://collector/prefix/", headers + "api-key=hidden"}, ""},
		{[]string{endpoint + "localhost:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{[]string{endpoint + "grpc://localhost:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{[]string{endpoint + "https://u:hidden@collector"}, "OTEL_EXPORTER_OTLP_HEADERS"},
		{[]string{endpoint + "https://collector?key=hidden"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{[]string{endpoint + "http://localhost:4318", headers + "hidden"}, "OTEL_EXPORTER_OTLP_HEADERS"},
		{[]string{headers + "api-key=hidden"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
	} {
		_, err := load(t, "", append(c.env, "KAFKA_BOOTSTRAP_SERVERS=a:1")...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%v: %v", c.env, err)
		}
	}
}

// Exporters of other programs know more variables than this one: who sets them should hear that they do nothing.
func TestOtherVariablesOfTheExporterAreWarnedAbout(t *testing.T) {
	s := mustLoad(t, "", "KAFKA_BOOTSTRAP_SERVERS=a:1", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_SERVICE_NAME=x")
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "OTEL_EXPORTER_OTLP_PROTOCOL") {
		t.Errorf("%q", s.Warnings)
	}
}
