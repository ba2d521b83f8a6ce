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

// checkDatabase looks at the kind of address, and that no part of a password
// stands where its host or what follows is expected: the driver reads the rest.
func checkDatabase(database string) error {
	scheme, rest, isURL := strings.Cut(database, "://")
	if isURL && (scheme == "postgres" || scheme == "postgresql") {
		if user, after, ok := strings.Cut(rest, "@"); ok && (strings.ContainsAny(user, "/?") || strings.Contains(after, "@")) {
			return notAllowed("database", redacted, "it has an @ behind the one before the host, or none there; in a user or password, write @ as %40, / as %2F and ? as %3F")
		}
		return nil
	}
	// A list of words may hold a URL, such as in its password.
	if key, _, isList := strings.Cut(database, "="); database == "" || isList && !strings.Contains(key, "://") {
		return nil
	}
	return notAllowed("database", redact(database), "it must be an address such as postgres://user:password@host:5432/tallyman")
}

// checkFiles refuses credentials, too, which would be shown wherever the files are.
func checkFiles(files string) error {
	scheme, rest, isURL := strings.Cut(files, "://")
	switch {
	case isURL && scheme != "s3", isNearBucket(files):
		return notAllowed("files", redactFiles(files), "it must be a bucket such as s3://bucket/prefix, or a folder")
	case isURL && holdsUser(rest):
		return notAllowed("files", redactFiles(files), "credentials do not belong in it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return nil
}

// isNearBucket reports whether somebody meant a bucket and wrote what would be taken
// for a folder on this machine alone.
func isNearBucket(files string) bool {
	scheme, rest, ok := strings.Cut(files, ":")
	return ok && strings.EqualFold(strings.TrimSpace(scheme), "s3") && !strings.HasPrefix(rest, "//")
}

// holdsUser reports whether what is behind the scheme of a URL may hold a user or
// password, however it is escaped.
func holdsUser(rest string) bool {
	plain, err := url.PathUnescape(rest)
	return err != nil || strings.Contains(plain, "@")
}

// Validate checks the group.
func (h HTTP) Validate() error {
	return errors.Join(
		checkAddress("listen", h.Listen),
		checkBaseURL(h.BaseURL),
		checkNotNegative("rate-limit", h.RateLimit),
		checkNotNegative("rate-limit-day", h.RateLimitDay),
		checkNotNegative("max-upload", h.MaxUpload),
		checkNotNegative("shutdown-timeout", h.ShutdownTimeout),
	)
}

func checkAddress(flag, listen string) error {
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return notAllowed(flag, listen, "it must be HOST:PORT with a port of 0 to 65535, such as 127.0.0.1:8080")
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
		return notAllowed("base-url", withoutSecrets(base), "it must be an address such as https://tallyman.example.com, without user, query or fragment")
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
	var workers, share, rescue error
	if w.Workers < 0 || w.Workers > maxWorkers {
		workers = notAllowed("workers", w.Workers, fmt.Sprintf("it must be 0 (one for each core) to %d", maxWorkers))
	}
	if w.WorkersPerImport < 0 || w.WorkersPerImport > maxWorkers {
		share = notAllowed("workers-per-import", w.WorkersPerImport, fmt.Sprintf("it must be 0 (no limit) to %d", maxWorkers))
	}
	if w.RescueAfter < minRescueAfter {
		rescue = notAllowed("rescue-after", w.RescueAfter, fmt.Sprintf("it must be at least %s", minRescueAfter))
	}
	return errors.Join(checkNode(w.Node), workers, share, rescue, checkNotNegative("min-free", w.MinFree))
}

// maxNodeName is what the job engine takes of a name.
const maxNodeName = 60

// checkNode keeps names to what reads well in a list, a log and a label.
func checkNode(name string) error {
	ok := len(name) <= maxNodeName
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
	}
	if !ok {
		return notAllowed("node", name, fmt.Sprintf("it must be at most %d letters of A to Z, digits and - _ . /", maxNodeName))
	}
	return nil
}

// Validate checks the group. Outcomes say which items a row wrote, and a retry
// reads the file, so old values mean nothing without them.
func (r Retention) Validate() error {
	err := errors.Join(
		checkPositive("keep-images", r.KeepImages),
		checkPositive("keep-outcomes", r.KeepOutcomes),
		checkPositive("keep-requests", r.KeepRequests),
		checkPositive("keep-audit", r.KeepAudit),
		checkPositive("keep-files", r.KeepFiles),
	)
	if err != nil {
		return err
	}
	return errors.Join(
		checkOutlasts("keep-outcomes", r.KeepOutcomes, r.KeepImages),
		checkOutlasts("keep-files", r.KeepFiles, r.KeepImages),
	)
}

// checkOutlasts holds what means nothing to an undo once something else is gone.
func checkOutlasts(flag string, value, images Span) error {
	if value < images {
		return notAllowed(flag, value, fmt.Sprintf("it must be at least that of --keep-images, %s", images))
	}
	return nil
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
