package s3

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"tallyman/internal/files"
)

// Config says where the files are. Credentials are no part of it: they come from
// the AWS_* variables, the AWS profile, or the role of the machine or pod.
type Config struct {
	Bucket string
	// Prefix begins the key of every object; it is "" or ends with a slash.
	Prefix string
	// Endpoint is the server's URL, http or https, without a path; "" is Amazon's.
	Endpoint string
	// Region of the bucket; "" asks Amazon for it, and is us-east-1 elsewhere.
	Region string
	// PathStyle says whether the bucket is named in the path of a request or in its
	// host; nil means in the host at Amazon, and in the path elsewhere.
	PathStyle *bool
	// PartBytes is the size of the parts in which a file is sent.
	PartBytes int
}

// What S3 says of parts: all but the last have a least size, and there are at
// most so many.
const (
	minPartMiB     = 5
	maxPartMiB     = 1024
	defaultPartMiB = 8
	maxParts       = 10_000
)

// ParseURL reads a file store's URL, such as
//
//	s3://bucket
//	s3://bucket/prefix?region=eu-central-1
//	s3://bucket/prefix?endpoint=http://127.0.0.1:7070&path_style=true&part_mib=16
//
// and fills in what the environment says: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL,
// AWS_REGION, AWS_DEFAULT_REGION.
func ParseURL(text string) (Config, error) {
	cfg, err := parseURL(text)
	if err != nil {
		return Config{}, fmt.Errorf("file store URL: %w; it is written as s3://bucket/prefix?endpoint=https://host:port&region=…", err)
	}
	return cfg, nil
}

func parseURL(text string) (Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The error would show the whole URL, and with it what should not be there.
		return Config{}, errors.New("it is no URL")
	}
	switch {
	case u.Scheme != "s3":
		return Config{}, fmt.Errorf("scheme %q is not s3", u.Scheme)
	case u.User != nil:
		return Config{}, errors.New("credentials do not belong in it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case u.Host == "" || u.Port() != "":
		return Config{}, errors.New("the bucket's name is missing; the server is named by endpoint")
	case u.Fragment != "":
		return Config{}, errors.New("it has a #")
	}
	cfg := Config{Bucket: u.Host, PartBytes: defaultPartMiB << 20}
	if cfg.Prefix, err = parsePrefix(u.Path); err != nil {
		return Config{}, err
	}
	if err := cfg.parseQuery(u.RawQuery); err != nil {
		return Config{}, err
	}
	return cfg, cfg.complete()
}

func parsePrefix(path string) (string, error) {
	prefix := strings.Trim(path, "/")
	if prefix == "" {
		return "", nil
	}
	if err := files.CheckKey(prefix); err != nil {
		return "", fmt.Errorf("prefix %q: %w", prefix, err)
	}
	return prefix + "/", nil
}

func (c *Config) parseQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("what follows the ? cannot be read")
	}
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "endpoint":
			c.Endpoint = value
		case "region":
			c.Region = value
		case "path_style":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("path_style %q is neither true nor false", value)
			}
			c.PathStyle = &on
		case "part_mib":
			n, err := strconv.Atoi(value)
			if err != nil || n < minPartMiB || n > maxPartMiB {
				return fmt.Errorf("part_mib %q is no whole number from %d to %d", value, minPartMiB, maxPartMiB)
			}
			c.PartBytes = n << 20
		default:
			return fmt.Errorf("%q is unknown; there are endpoint, region, path_style and part_mib", name)
		}
	}
	return nil
}

// complete fills in what the environment and the protocol say.
func (c *Config) complete() error {
	c.Endpoint = firstOf(c.Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	c.Region = firstOf(c.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("endpoint is no URL such as https://host or http://host:port")
	}
	c.Endpoint = u.Scheme + "://" + u.Host
	c.Region = firstOf(c.Region, "us-east-1")
	return nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// String is the store in words: where it is, without anything secret.
func (c Config) String() string {
	text := "s3://" + c.Bucket + "/" + c.Prefix
	if c.Endpoint != "" {
		text += " at " + c.Endpoint
	}
	return text
}
