package catalog

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxImageURL is the most characters that an image's address has, which is
// what Google's product data specification allows.
const MaxImageURL = 2000

// ParseImageURL reads the address of an image: http or https, with a host,
// without blanks and control characters, of at most MaxImageURL characters.
// The address is kept as given. Whether it may be fetched is decided when it
// is, since that hangs on what its host's name resolves to.
func ParseImageURL(cell string, ps []Problem) (string, []Problem) {
	address := strings.TrimSpace(cell)
	if address == "" {
		return "", ps
	}
	if fault := imageURLFault(address); fault != "" {
		return "", refuse(ps, CodeInvalidURL, cell, fault)
	}
	return address, ps
}

// imageURLFault says what is wrong with an address, "" for nothing. What passes
// is always understood by net/url.
func imageURLFault(s string) string {
	if len(s) > MaxImageURL && utf8.RuneCountInString(s) > MaxImageURL {
		return "The address has more than " + strconv.Itoa(MaxImageURL) + " characters; use a shorter one."
	}
	rest, ok := cutHTTP(s)
	if !ok {
		return "The address of an image begins with http:// or https://; write it in full."
	}
	if hasBlank(rest) {
		return "The address holds a blank or a control character; write a blank as %20."
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if !isAuthority(rest[:end]) {
		return "The address has no valid host after http:// or https://; correct it."
	}
	if hasBrokenEscape(rest[end:]) {
		return "The address holds a % without two hexadecimal digits after it; write it as %25."
	}
	return ""
}

func cutHTTP(s string) (rest string, ok bool) {
	for _, scheme := range [...]string{"https://", "http://"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return s[len(scheme):], true
		}
	}
	return "", false
}

// isAuthority reports whether s is a host, with a port or a user before it or
// neither.
func isAuthority(s string) bool {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		if !isUser(s[:at]) {
			return false
		}
		s = s[at+1:]
	}
	host, port := s, ""
	if end := strings.IndexByte(s, ']'); end >= 0 {
		host, port = s[:end+1], s[end+1:]
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 {
		host, port = s[:colon], s[colon:]
	}
	return isHost(host) && (port == "" || len(port) <= 6 && port[0] == ':' && isDigits(port[1:]))
}

func isUser(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isHostByte(c) && c != ':' || c >= utf8.RuneSelf {
			return false
		}
	}
	return s != ""
}

// isHost knows names, also those beyond ASCII, and addresses of version 6 in
// brackets.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	for i := 0; i < len(s); i++ {
		if !isHostByte(s[i]) {
			return false
		}
	}
	return s != "" && s[0] != '.' && s[0] != '-'
}

func isHostByte(c byte) bool {
	lower := c | 0x20
	return c >= utf8.RuneSelf || 'a' <= lower && lower <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// hasBlank reports whether s holds blanks, control characters or bytes that are
// not UTF-8.
func hasBlank(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return true
		}
		if s[i] >= utf8.RuneSelf {
			return !utf8.ValidString(s[i:]) || strings.IndexFunc(s[i:], isBlank) >= 0
		}
	}
	return false
}

func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// hasBrokenEscape reports whether s holds a % without two hexadecimal digits.
func hasBrokenEscape(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return false
		}
		if s = s[i+1:]; len(s) < 2 || !isHex(s[0]) || !isHex(s[1]) {
			return true
		}
	}
}

func isHex(c byte) bool {
	lower := c | 0x20
	return '0' <= c && c <= '9' || 'a' <= lower && lower <= 'f'
}
