package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// secretTag marks a flag whose value is never printed whole and may come from a
// file. It works for flags outside of this package, too. Its value says what may be
// shown: see secretPath.
const secretTag = "secret"

// secretPath is the value of the tag of a URL whose path may be secret.
const secretPath = "path"

// SecretFiles reads flags tagged secret:"" from the file that the environment
// names in their variable's name with _FILE at the end, as container platforms
// hand out secrets. It is an error to set both. The file's last line break is
// not part of the secret.
func SecretFiles() kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if !flag.Tag.Has(secretTag) {
			return nil, nil
		}
		for _, env := range flag.Envs {
			if path := os.Getenv(env + "_FILE"); path != "" {
				return readSecret(env, path)
			}
		}
		return nil, nil
	})
}

func readSecret(env, path string) (any, error) {
	if os.Getenv(env) != "" {
		return nil, fmt.Errorf("%s and %s_FILE are both set: set one of them", env, env)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s_FILE: %w", env, err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return nil, fmt.Errorf("read %s_FILE: file %s is empty", env, path)
	}
	return secret, nil
}

const redacted = "xxxxx"

// redact returns what may be shown of a secret: of a URL its scheme, user, host
// and path, of anything else nothing. A '#', or an '@' behind the host, mostly
// is part of a password that should have been escaped, so that the rest of it
// stands where another part of the URL is expected.
func redact(secret string) string {
	if secret == "" {
		return ""
	}
	u, err := url.Parse(secret)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.Contains(secret, "#") ||
		strings.Contains(u.Path+u.RawQuery, "@") {
		return redacted
	}
	if u.RawQuery != "" {
		u.RawQuery = redacted
	}
	return u.Redacted()
}

// redactPath is redact for a URL that may have a secret in its path.
func redactPath(secret string) string {
	u, err := url.Parse(redact(secret))
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return redact(secret)
	}
	u.Path, u.RawPath, u.User = "/"+redacted, "", nil
	return u.String()
}

// bucketWords are what the URL of a bucket may say behind its path.
var bucketWords = map[string]bool{"endpoint": true, "region": true, "path_style": true, "part_mib": true}

// redactFiles returns what may be shown of where files are. A bucket's URL holds
// nothing secret, unless somebody wrote credentials into it.
func redactFiles(files string) string {
	scheme, rest, isURL := strings.Cut(files, "://")
	if isNearBucket(files) {
		return redacted
	}
	if !isURL {
		return files
	}
	place, query, _ := strings.Cut(rest, "?")
	if scheme != "s3" || holdsUser(rest) || strings.Contains(rest, "#") || strings.Contains(place, ":") {
		return redacted
	}
	if query == "" {
		return files
	}
	words := strings.Split(query, "&")
	for i, w := range words {
		if name, _, _ := strings.Cut(w, "="); !bucketWords[name] {
			words[i] = redacted
		}
	}
	return "s3://" + place + "?" + strings.Join(words, "&")
}
