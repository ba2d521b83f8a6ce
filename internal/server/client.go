package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedHeader is where proxies say for whom they ask, the nearest one last.
const forwardedHeader = "X-Forwarded-For"

// clientOf returns whose request it is: the address at the other end of the
// connection or, where that is a trusted proxy, the last one that the proxies name
// and that is none of them. What stands before it the client may have made up. It is
// invalid where the connection has no address.
func clientOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client := address(r.RemoteAddr)
	if !isOneOf(client, trusted) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values(forwardedHeader), ","), ",")
	for _, hop := range slices.Backward(hops) {
		said := address(strings.TrimSpace(hop))
		if !said.IsValid() {
			break
		}
		client = said
		if !isOneOf(client, trusted) {
			break
		}
	}
	return client
}

// address reads an address with or without a port, in its one form.
func address(text string) netip.Addr {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	alone, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return alone.Unmap().WithZone("")
}

func isOneOf(a netip.Addr, networks []netip.Prefix) bool {
	return a.IsValid() && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// remoteOf names the client for the access log.
func remoteOf(client netip.Addr, r *http.Request) string {
	if !client.IsValid() {
		return r.RemoteAddr
	}
	return client.String()
}
