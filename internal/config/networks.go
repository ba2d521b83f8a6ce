package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Networks are ranges of addresses, written as people do: 10.0.0.0/8,127.0.0.1.
type Networks []netip.Prefix

// UnmarshalText reads networks in CIDR form, or single addresses, with commas
// between them.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		p, err := parseNetwork(part)
		if err != nil {
			return fmt.Errorf("%q is no network such as 10.0.0.0/8 or 127.0.0.1", part)
		}
		*n = append(*n, p)
	}
	return nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil || !p.Addr().Is4In6() {
			return p.Masked(), err
		}
		return netip.Prefix{}, fmt.Errorf("%s is IPv4 written as IPv6", text)
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return a.Prefix(a.BitLen())
}

// String writes the networks with commas between them.
func (n Networks) String() string {
	parts := make([]string, len(n))
	for i, p := range n {
		parts[i] = p.String()
	}
	return strings.Join(parts, ",")
}
