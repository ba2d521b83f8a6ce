package rest

import (
	"fmt"
	"net/url"
	"strings"
)

// pathOf is the path of an address without a slash at the end.
func pathOf(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("read base URL: %w", err)
	}
	return strings.TrimRight(u.EscapedPath(), "/"), nil
}

// location is where clients find an import. It has no host: whatever the request
// says that its host is, the client knows better.
func (d *door) location(id string) string { return d.base + Prefix + "/imports/" + url.PathEscape(id) }
