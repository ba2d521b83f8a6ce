package config

import "testing"

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " , ": "",
		"10.0.0.0/8":              "10.0.0.0/8",
		"10.1.2.3/8":              "10.0.0.0/8",
		"127.0.0.1":               "127.0.0.1/32",
		"::1, 10.0.0.1":           "::1/128,10.0.0.1/32",
		"::ffff:10.0.0.1":         "10.0.0.1/32",
		"fd00::/8,192.168.0.0/16": "fd00::/8,192.168.0.0/16",
	} {
		var n, again Networks
		if err := n.UnmarshalText([]byte(text)); err != nil || n.String() != want {
			t.Errorf("%q is %q, %v, not %q", text, n, err, want)
		}
		if err := again.UnmarshalText([]byte(n.String())); err != nil || again.String() != want {
			t.Errorf("%q came back as %q, %v", want, again, err)
		}
	}
	for _, text := range []string{"proxy", "10.0.0.0/33", "10.0.0.0-10.0.0.9", "::ffff:10.0.0.0/104", "10.0.0.1:80"} {
		var n Networks
		if err := n.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %q", text, n)
		}
	}
}
