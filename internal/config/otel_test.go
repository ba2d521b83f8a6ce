package config

import (
	"strings"
	"testing"
)

// Whatever OpenTelemetry takes is left to it; where there are no traces it reads
// nothing.
func TestOpenTelemetrysVariables(t *testing.T) {
	for _, c := range []struct {
		name, value string
		traces, ok  bool
	}{
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20geheim, x-team = a=b ,", true, true},
		{"OTEL_EXPORTER_OTLP_HEADERS", "", true, true},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization geheim", true, false},
		{"OTEL_EXPORTER_OTLP_HEADERS", "=geheim", true, false},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization geheim", false, true},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=%zzgeheim", true, false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", " http://127.0.0.1:4318/a ", true, true},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:ge%heim@127.0.0.1", true, false},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://u:geheim", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			set := Telemetry{Metrics: "on"}
			if c.traces {
				set.OTLPEndpoint = "http://127.0.0.1:1"
			}
			err := set.Validate()
			if (err == nil) != c.ok {
				t.Errorf("%q: got %v", c.value, err)
			}
			if err != nil && (strings.Contains(err.Error(), "heim") || !strings.Contains(err.Error(), c.name)) {
				t.Errorf("%q: got %v", c.value, err)
			}
		})
	}
}
