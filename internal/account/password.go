package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Bounds of a password: in characters below, in bytes above. The upper one only
// bounds what a stranger can have hashed.
const (
	MinPassword = 10
	MaxPassword = 1024
)

// Cost is how much work it is to try a password.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
}

// DefaultCost is what OWASP asks of Argon2id at the least. More memory would be
// safer and is what a sign-in takes from running imports.
var DefaultCost = Cost{Memory: 19 << 10, Passes: 2}

// atOnce is how many passwords are hashed at the same time; others wait.
const atOnce = 2

// What is read of a stored password is bounded, so that a damaged one cannot take
// the machine.
const (
	maxMemory = 1 << 20 // KiB
	maxPasses = 100
)

const (
	saltBytes = 16
	hashBytes = 32
)

// passwords hashes and checks passwords.
type passwords struct {
	cost   Cost
	random io.Reader
	turns  chan struct{}
}

func newPasswords(cost Cost, random io.Reader) *passwords {
	if cost == (Cost{}) {
		cost = DefaultCost
	}
	return &passwords{cost: cost, random: random, turns: make(chan struct{}, atOnce)}
}

// derive is the slow step, of which only so many run at once.
func (p *passwords) derive(ctx context.Context, password string, salt []byte, cost Cost) ([]byte, error) {
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// The same characters come in several forms, by the keyboard they are typed on.
	return argon2.IDKey(norm.NFC.Bytes([]byte(password)), salt, cost.Passes, cost.Memory, 1, hashBytes), nil
}

// hash returns a password in the form in which it is stored, that of the Argon2
// reference: $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(p.random, salt); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	key, err := p.derive(ctx, password, salt, p.cost)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d$m=%d,t=%d,p=1$%s$%s", hashPrefix, argon2.Version, p.cost.Memory, p.cost.Passes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

const hashPrefix = "$argon2id$v="

// check reports whether a password is the stored one, and whether that should be
// stored anew because passwords have become more work since. A stored password of
// "" is nobody's, and takes as long.
func (p *passwords) check(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	if len(password) > MaxPassword {
		return false, false, nil
	}
	was := storedPassword{cost: p.cost, salt: make([]byte, saltBytes)}
	if stored != "" {
		if was, err = parseStored(stored); err != nil {
			return false, false, err
		}
	}
	key, err := p.derive(ctx, password, was.salt, was.cost)
	if err != nil {
		return false, false, err
	}
	ok = stored != "" && subtle.ConstantTimeCompare(key, was.key) == 1
	return ok, was.cost.Memory < p.cost.Memory || was.cost.Passes < p.cost.Passes, nil
}

// storedPassword is what stands in a stored password.
type storedPassword struct {
	cost      Cost
	salt, key []byte
}

func parseStored(stored string) (storedPassword, error) {
	var s storedPassword
	var version int
	broken := errors.New("the stored password is damaged; set a new one")
	parts := strings.Split(stored, "$") // "", argon2id, v=, m=, salt, key
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return s, broken
	}
	if n, err := fmt.Sscanf(parts[2], "v=%d", &version); n != 1 || err != nil || version != argon2.Version {
		return s, broken
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &s.cost.Memory, &s.cost.Passes); n != 2 || err != nil {
		return s, broken
	}
	var err, kerr error
	s.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	s.key, kerr = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || kerr != nil || len(s.key) != hashBytes || len(s.salt) != saltBytes ||
		s.cost.Memory > maxMemory || s.cost.Passes == 0 || s.cost.Passes > maxPasses {
		return s, broken
	}
	return s, nil
}

// checkPassword says what is wrong with a password for a user of this name, in its
// one form; "" for nothing.
func checkPassword(name, password string) string {
	plain := norm.NFC.String(strings.ToLower(password))
	switch {
	case !utf8.ValidString(password):
		return "must be text in UTF-8"
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Sprintf("must have at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Sprintf("must have at most %d bytes", MaxPassword)
	case plain == name, utf8.RuneCountInString(name) >= minTelling && strings.Contains(plain, name):
		return "must not contain the name"
	case strings.Trim(plain, string([]rune(plain)[:1])) == "":
		return "must not be one character again and again"
	}
	return ""
}

// minTelling is the length from which on a name must not be part of a password:
// shorter ones are part of many words.
const minTelling = 4

// passwordChars makes a password of 119 bits that can be typed.
const passwordChars = 20

// NewPassword makes a password that nobody can guess.
func (a *Accounts) NewPassword() (string, error) {
	password, err := randomText(a.random, "", passwordChars)
	if err != nil {
		return "", fmt.Errorf("make password: %w", err)
	}
	return password, nil
}
