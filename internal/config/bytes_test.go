package config

import (
	"testing"

	"pgregory.net/rapid"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "0B": 0, "1": 1, "1048576": 1 << 20, "12 B": 12,
		"512MB": 512e6, "512mb": 512e6, "512 MiB": 512 << 20, " 1GiB ": 1 << 30,
		"3KB": 3e3, "3KiB": 3 << 10, "2GB": 2e9, "9TB": 9e12, "9TiB": 9 << 40,
		"8388607TiB": 8388607 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, int64(got), err, int64(want))
		}
	}
	for _, text := range []string{"", "MB", "-1", "-1MB", "1.5GB", "512M", "1PB", "1 MB MB", "0x10", "8388608TiB", "9223372036854775808"} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, int64(got))
		}
	}
}

func TestBytesString(t *testing.T) {
	for b, want := range map[Bytes]string{0: "0B", 1: "1B", 1000: "1KB", 1024: "1KiB", 1025: "1025B", 512e6: "512MB", 1 << 30: "1GiB"} {
		if got := b.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(b), got, want)
		}
	}
}

func TestBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		var got Bytes
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%d is written %q and read back as %d, %v", int64(want), want, int64(got), err)
		}
	})
}
