package config

import (
	"strings"
	"testing"
)

func TestRefusedAddressesAreShownWithoutSecrets(t *testing.T) {
	for _, c := range []struct{ address, base, otlp string }{
		{"tallyman.example.com/shop", "tallyman.example.com/shop", "tallyman.example.com"},
		{"localhost:4318", "localhost:4318", "localhost:4318"},
		{"ftp://host/shop", "ftp://host/shop", "ftp://host"},
		{"https://me:hidden@host/shop", "https://host/shop", "https://host"},
		{"https://me:12#hidden@host/shop", "https://host/shop", "https://host"},
		{"https://me:12/hid?den@host", "https://host", "https://host"},
		{"me:hidden@host", "host", "host"},
		{"https://host/shop?key=hidden", "https://host/shop", "https://host"},
		{"https://host/shop#hidden", "https://host/shop", "https://host"},
	} {
		t.Run(c.address, func(t *testing.T) {
			base, otlp := checkBaseURL(c.address), checkOTLP(c.address)
			if base == nil || !strings.Contains(base.Error(), `is "`+c.base+`":`) {
				t.Errorf("as --base-url: %v, want %s shown", base, c.base)
			}
			if otlp == nil || !strings.Contains(otlp.Error(), `is "`+c.otlp+`":`) {
				t.Errorf("as --otlp-endpoint: %v, want %s shown", otlp, c.otlp)
			}
		})
	}
}
