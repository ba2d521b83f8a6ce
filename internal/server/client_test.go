package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"tallyman/internal/audit"
)

func TestClientOf(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, remote string
		said         []string
		trusted      []netip.Prefix
		want         string
	}{
		{"no proxy is trusted", "10.0.0.1:80", []string{"203.0.113.7"}, nil, "10.0.0.1"},
		{"it comes from elsewhere and says so", "198.51.100.9:80", []string{"203.0.113.7"}, proxies, "198.51.100.9"},
		{"one proxy", "10.0.0.1:80", []string{"203.0.113.7"}, proxies, "203.0.113.7"},
		{"what the client made up stands first", "10.0.0.1:80", []string{"127.0.0.1, 10.9.9.9, 203.0.113.7"}, proxies, "203.0.113.7"},
		{"two proxies", "10.0.0.1:80", []string{"203.0.113.7, 10.0.0.2"}, proxies, "203.0.113.7"},
		{"each proxy in a header of its own", "10.0.0.1:80", []string{"203.0.113.7", "10.0.0.2"}, proxies, "203.0.113.7"},
		{"nothing but proxies", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, proxies, "10.0.0.3"},
		{"the proxy says nothing", "10.0.0.1:80", nil, proxies, "10.0.0.1"},
		{"the proxy says nothing that is an address", "10.0.0.1:80", []string{"unknown"}, proxies, "10.0.0.1"},
		{"words before a proxy", "10.0.0.1:80", []string{"203.0.113.7, nonsense, 10.0.0.2"}, proxies, "10.0.0.2"},
		{"with a port", "10.0.0.1:80", []string{"203.0.113.7:4711"}, proxies, "203.0.113.7"},
		{"IPv6", "[fd00::1]:80", []string{"[2001:db8::1]:4711"}, proxies, "2001:db8::1"},
		{"IPv6 in brackets", "[fd00::1]:80", []string{"[2001:db8::1]"}, proxies, "2001:db8::1"},
		{"IPv4 as IPv6", "[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.7"}, proxies, "203.0.113.7"},
		{"with a zone", "[fd00::1%eth0]:80", []string{"2001:db8::1"}, proxies, "2001:db8::1"},
		{"the machine itself is no proxy unless it is named", "127.0.0.1:80", []string{"203.0.113.7"}, proxies, "127.0.0.1"},
		{"no address at all", "@", []string{"203.0.113.7"}, proxies, "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		for _, said := range c.said {
			r.Header.Add(forwardedHeader, said)
		}
		if got := clientOf(r, c.trusted).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestClientIsLoggedAndNoted: the access log and what is noted of a request name the
// same client.
func TestClientIsLoggedAndNoted(t *testing.T) {
	var log bytes.Buffer
	var from audit.Origin
	h := New(Config{
		Doors:          []Door{testDoor(func(_ http.ResponseWriter, r *http.Request) { from = audit.OriginOf(r.Context()) })},
		Log:            slog.New(slog.NewJSONHandler(&log, nil)),
		Now:            time.Now,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, // where httptest's requests come from
	})
	get(h, "/door", forwardedHeader, "203.0.113.7")
	var line struct{ Remote string }
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Remote != "203.0.113.7" || from.Address.String() != line.Remote {
		t.Errorf("logged %q (%v), noted %v", line.Remote, err, from.Address)
	}
}
