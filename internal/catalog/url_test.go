package catalog

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseImageURL(t *testing.T) {
	same := func(s string) cellCase { return good(s, s) }
	longest := "https://img.example.com/" + strings.Repeat("x", MaxImageURL-24)
	testCells(t, ParseImageURL, []cellCase{
		same("https://img.example.com/kb-001.jpg"), same("http://example.com"), same("HTTPS://Example.COM/A.jpg"), same("http://localhost:8080/a?b=c#d"),
		same("https://example.com?x=1"), same("https://203.0.113.7/a.jpg"), same("https://[2001:db8::1]:443/a.jpg"), same("https://bücher.example/größe.jpg"),
		same("https://user:secret@example.com/a.jpg"), same("https://example.com/a%20b.jpg"), same("https://example.com/a,b;c=(d)"), same(longest),
		good("  https://example.com/a.jpg ", "https://example.com/a.jpg"),
		bad(longest+"x", CodeInvalidURL), bad("ftp://example.com/a.jpg", CodeInvalidURL), bad("//cdn.example.com/a.jpg", CodeInvalidURL), bad("www.example.com/a.jpg", CodeInvalidURL),
		bad("a.jpg", CodeInvalidURL), bad("https://", CodeInvalidURL), bad("https:///a.jpg", CodeInvalidURL), bad("https://?a", CodeInvalidURL), bad("https:/example.com", CodeInvalidURL),
		bad("data:image/png;base64,AAAA", CodeInvalidURL), bad("javascript:alert(1)", CodeInvalidURL), bad("https://example.com/a b.jpg", CodeInvalidURL),
		bad("https://example.com/a\nb.jpg", CodeInvalidURL), bad("https://example.com/a\u00a0b.jpg", CodeInvalidURL), bad("https://example.com/a\x7f", CodeInvalidURL), bad("https://example.com/\xff", CodeInvalidURL),
		bad("https://example.com/100%.jpg", CodeInvalidURL), bad("https://example.com/%zz", CodeInvalidURL), bad("https://exa mple.com/", CodeInvalidURL), bad("https://exa<mple.com/", CodeInvalidURL),
		bad("https://example.com:port/", CodeInvalidURL), bad("https://example.com:/", CodeInvalidURL), bad("https://:80/", CodeInvalidURL), bad("https://a:1:2/", CodeInvalidURL), bad("https://[::1/", CodeInvalidURL),
		bad("https://[fe80::1%25eth0]/", CodeInvalidURL), bad("https://[127.0.0.1]/", CodeInvalidURL), bad("https://@example.com/", CodeInvalidURL), bad("https://us/er@example.com/%", CodeInvalidURL), bad("https://u<r@example.com/", CodeInvalidURL), bad("https://-example.com/", CodeInvalidURL), bad("https://.example.com/", CodeInvalidURL),
	})
}

func TestParseImageURLCountsCharacters(t *testing.T) {
	address := "https://img.example.com/" + strings.Repeat("ü", MaxImageURL-24)
	if got, ps := ParseImageURL(address, nil); got != address {
		t.Errorf("an address of %d characters is refused: %v", utf8.RuneCountInString(address), ps)
	}
}

// FuzzImageURL holds the parser to its promise: what passes has a host and is
// understood by net/url.
func FuzzImageURL(f *testing.F) {
	for _, seed := range []string{"https://img.example.com/a.jpg", "http://[::1]:80/", "https://u:p@h/%20?q#f", "https://bücher.example/", "http://a:b", "https://[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		got, ps := ParseImageURL(cell, nil)
		checkProblems(t, cell, got, ps)
		if got == "" {
			return
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q: %v", cell, err)
		}
		if u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q: scheme %q, host %q", cell, u.Scheme, u.Host)
		}
	})
}

func BenchmarkParseImageURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseImageURL("https://img.example.com/products/kb-001.jpg?w=1000", nil)
	}
}
