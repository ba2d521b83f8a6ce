package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxWorkers = 256
	// minRescueAfter leaves room for a job's time slice of about two seconds; a
	// lower bound would give away batches that are being worked on.
	minRescueAfter = 3 * time.Second
)

// notAllowed says that the setting with this flag has a value that is not
// allowed, and what is. It may be printed: secrets are redacted.
func notAllowed(flag string, value any, allowed string) error {
	return fmt.Errorf("--%s (%s) is %q: %s", flag, envName(flag), fmt.Sprint(value), allowed)
}

func envName(flag string) string {
	return "TALLYMAN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Validate checks the group.
func (s Storage) Validate() error {
	return errors.Join(checkData(s.Data), checkDatabase(s.Database), checkFiles(s.Files))
}

func checkData(data string) error {
	if data == "" {
		return notAllowed("data", data, "it must name a folder")
	}
	return nil
}

// checkDatabase looks at the kind of address alone: the driver reads the rest.
func checkDatabase(database string) error {
	scheme, _, isURL := strings.Cut(database, "://")
	if database == "" || isURL && (scheme == "postgres" || scheme == "postgresql") || !isURL && strings.Contains(database, "=") {
		return nil
	}
	return notAllowed("database", redact(database), "it must be an address such as postgres://user:password@host:5432/tallyman")
}

func checkFiles(files string) error {
	if scheme, _, isURL := strings.Cut(files, "://"); isURL && scheme != "s3" {
		return notAllowed("files", redact(files), "it must be a bucket such as s3://bucket/prefix, or a folder")
	}
	return nil
}

// Validate checks the group.
func (h HTTP) Validate() error {
	return errors.Join(
		checkListen(h.Listen),
		checkBaseURL(h.BaseURL),
		checkNotNegative("rate-limit", h.RateLimit),
		checkNotNegative("rate-limit-day", h.RateLimitDay),
		checkNotNegative("max-upload", h.MaxUpload),
		checkNotNegative("shutdown-timeout", h.ShutdownTimeout),
	)
}

func checkListen(listen string) error {
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return notAllowed("listen", listen, "it must be HOST:PORT with a port of 0 to 65535, such as 127.0.0.1:8080")
	}
	return nil
}

func checkBaseURL(base string) error {
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "",
		u.User != nil, u.RawQuery != "", u.Fragment != "":
		return notAllowed("base-url", redact(base), "it must be an address such as https://tallyman.example.com, without user, query or fragment")
	}
	return nil
}

func trimSlash(base string) string { return strings.TrimRight(base, "/") }

func checkNotNegative[T int | Bytes | time.Duration](flag string, value T) error {
	if value < 0 {
		return notAllowed(flag, value, "it must not be negative")
	}
	return nil
}

// Validate checks the group.
func (w Work) Validate() error {
	var workers, rescue error
	if w.Workers < 0 || w.Workers > maxWorkers {
		workers = notAllowed("workers", w.Workers, fmt.Sprintf("it must be 0 (one for each core) to %d", maxWorkers))
	}
	if w.RescueAfter < minRescueAfter {
		rescue = notAllowed("rescue-after", w.RescueAfter, fmt.Sprintf("it must be at least %s", minRescueAfter))
	}
	return errors.Join(workers, rescue)
}

// Validate checks the group. Outcomes say which items a row wrote, so old values
// mean nothing without them.
func (r Retention) Validate() error {
	err := errors.Join(
		checkPositive("keep-images", r.KeepImages),
		checkPositive("keep-outcomes", r.KeepOutcomes),
		checkPositive("keep-requests", r.KeepRequests),
	)
	if err == nil && r.KeepOutcomes < r.KeepImages {
		return notAllowed("keep-outcomes", r.KeepOutcomes, fmt.Sprintf("it must be at least that of --keep-images, %s", r.KeepImages))
	}
	return err
}

func checkPositive(flag string, value Span) error {
	if value <= 0 {
		return notAllowed(flag, value, "it must be above zero, such as 30d or 24h")
	}
	return nil
}

// Validate checks the group.
func (l Logging) Validate() error {
	if l.LogFormat != "text" && l.LogFormat != "json" {
		return notAllowed("log-format", l.LogFormat, "it must be text or json")
	}
	return nil
}
