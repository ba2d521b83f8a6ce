package s3

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	yes, no := true, false
	for text, want := range map[string]Config{
		"s3://bucket":                       {Bucket: "bucket", PartBytes: 8 << 20},
		"s3://bucket/":                      {Bucket: "bucket", PartBytes: 8 << 20},
		"s3://bucket/a/b/?region=eu-west-3": {Bucket: "bucket", Prefix: "a/b/", Region: "eu-west-3", PartBytes: 8 << 20},
		"s3://bucket/a?endpoint=http://127.0.0.1:7070&path_style=true&part_mib=16": {
			Bucket: "bucket", Prefix: "a/", Endpoint: "http://127.0.0.1:7070", Region: "us-east-1", PathStyle: &yes, PartBytes: 16 << 20},
		"s3://b.c?endpoint=https%3A%2F%2Fs3.example.com%2F&region=x&path_style=false": {
			Bucket: "b.c", Endpoint: "https://s3.example.com", Region: "x", PathStyle: &no, PartBytes: 8 << 20},
	} {
		got, err := ParseURL(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("ParseURL(%q): %v\n%s", text, err, diff)
		}
	}
}

func TestParseURLTakesTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://general:1")
	t.Setenv("AWS_DEFAULT_REGION", "default")
	check := func(text, endpoint, region string) {
		t.Helper()
		got, err := ParseURL(text)
		if err != nil || got.Endpoint != endpoint || got.Region != region {
			t.Errorf("ParseURL(%q) = %+v, %v, want %s and %s", text, got, err, endpoint, region)
		}
	}
	check("s3://bucket", "http://general:1", "default")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://special:1")
	t.Setenv("AWS_REGION", "region")
	check("s3://bucket", "http://special:1", "region")
	check("s3://bucket?endpoint=http://url:1&region=here", "http://url:1", "here")
}

func TestParseURLRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `scheme "" is not s3`,
		"http://bucket":                    `scheme "http" is not s3`,
		"s3://":                            "bucket's name is missing",
		"s3:///prefix":                     "bucket's name is missing",
		"s3://localhost:9000/bucket":       "named by endpoint",
		"s3://KEY:secret@bucket":           "AWS_SECRET_ACCESS_KEY",
		"s3://KEY:sec%ret@bucket":          "no URL",
		"s3://bucket/a//b":                 "empty element",
		"s3://bucket/.hidden":              "begins with a dot",
		"s3://bucket/a b":                  "character other than",
		"s3://bucket#x":                    "has a #",
		"s3://bucket?endpoint=host:9000":   "endpoint is no URL",
		"s3://bucket?endpoint=http://h/s3": "endpoint is no URL",
		"s3://bucket?path_style=maybe":     "neither true nor false",
		"s3://bucket?part_mib=4":           "from 5 to 1024",
		"s3://bucket?part_mib=8MB":         "from 5 to 1024",
		"s3://bucket?pathstyle=true":       `"pathstyle" is unknown`,
		"s3://bucket?a=%zz":                "cannot be read",
	} {
		_, err := ParseURL(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "s3://bucket/prefix?endpoint=") {
			t.Errorf("ParseURL(%q): %v, want %q and how it is written", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "sec%ret")) {
			t.Errorf("ParseURL(%q) shows the secret: %v", text, err)
		}
	}
}
