package config

import "strings"

// withoutSecrets returns what may be shown of an address that should hold no
// secret and may all the same: it has no user, query or fragment. A user ends at
// the last '@', for a password may hold anything.
func withoutSecrets(address string) string {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + rest
}

// withoutPath is withoutSecrets of an address whose path may be one.
func withoutPath(address string) string {
	shown := withoutSecrets(address)
	scheme, rest, isURL := strings.Cut(shown, "://")
	if !isURL {
		host, _, _ := strings.Cut(shown, "/")
		return host
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
