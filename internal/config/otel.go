package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// OpenTelemetry's own variables that may hold a secret: in an address a password
// or a path, in a header a token. Its exporter writes out those that it cannot
// read, so they are read here first.
var (
	// The last of them that is set says where traces go.
	otelEndpoints = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}
	otelHeaders   = []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"}
)

// TracesAt is the address that traces are sent to, or begins with; "" where there
// are none. It may hold a secret.
func (t Telemetry) TracesAt() string {
	if t.OTLPEndpoint != "" {
		return t.OTLPEndpoint
	}
	at := ""
	for _, name := range otelEndpoints {
		at = cmp.Or(strings.TrimSpace(os.Getenv(name)), at)
	}
	return at
}

// checkOTEL looks at the variables as OpenTelemetry reads them, where they are read
// at all. What it says has no part of a value.
func checkOTEL(t Telemetry) error {
	if !t.HasTraces() {
		return nil
	}
	var errs []error
	for _, name := range otelEndpoints {
		if _, err := url.Parse(strings.TrimSpace(os.Getenv(name))); err != nil {
			errs = append(errs, fmt.Errorf("%s is no address such as http://localhost:4318", name))
		}
	}
	for _, name := range otelHeaders {
		if !areHeaders(os.Getenv(name)) {
			errs = append(errs, fmt.Errorf("%s must be NAME=VALUE, with commas between several; in a value, write %% as %%25 and , as %%2C", name))
		}
	}
	return errors.Join(errs...)
}

// areHeaders reports whether OpenTelemetry takes every header of the list. It leaves
// out an empty one.
func areHeaders(list string) bool {
	for header := range strings.SplitSeq(list, ",") {
		name, value, isPair := strings.Cut(header, "=")
		if strings.TrimSpace(header) == "" {
			continue
		}
		if _, err := url.PathUnescape(value); err != nil || !isPair || !isToken(strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}

// isToken reports whether a text may be the name of a header.
func isToken(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) < 0
}
