package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const amazon = "s3.amazonaws.com"

var errNoCredentials = errors.New("there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, " +
	"or run where a role gives them")

func newClient(ctx context.Context, cfg Config, conns *http.Transport) (*minio.Client, error) {
	creds, err := findCredentials(ctx, cfg, &http.Client{Transport: conns, Timeout: requestTime})
	if err != nil {
		return nil, err
	}
	host, secure := amazon, true
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil {
			return nil, err
		}
		host, secure = u.Host, u.Scheme == "https"
	}
	return minio.New(host, &minio.Options{
		Creds: creds, Secure: secure, Region: cfg.Region, Transport: conns, BucketLookup: lookup(cfg.PathStyle),
		MaxRetries: 1, // try makes attempts, and knows how long
	})
}

func lookup(pathStyle *bool) minio.BucketLookupType {
	switch {
	case pathStyle == nil:
		return minio.BucketLookupAuto
	case *pathStyle:
		return minio.BucketLookupPath
	}
	return minio.BucketLookupDNS
}

// newTransport leaves the time that an answer may take to the request's context,
// for it depends on what is asked.
func newTransport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // ranges are of the bytes as they are stored
	}
	bundle := os.Getenv("AWS_CA_BUNDLE")
	if bundle == "" {
		return t, nil
	}
	pem, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s has no certificate in PEM", bundle)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	return t, nil
}

// findCredentials makes sure that there are some, because without them requests
// would go unsigned and the server would only say that it denies them.
func findCredentials(ctx context.Context, cfg Config, client *http.Client) (*credentials.Credentials, error) {
	providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if rolesMayBe(cfg) {
		providers = append(providers, &credentials.IAM{Client: client, Region: cfg.Region})
	}
	creds := credentials.NewChainCredentials(providers)
	value, err := creds.GetWithContext(&credentials.CredContext{Client: client, Context: ctx})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("find credentials: %w", err)
	case value.AccessKeyID == "":
		return nil, errNoCredentials
	}
	return creds, nil
}

// rolesMayBe says whether the machine or pod may have a role. Elsewhere than at
// Amazon nobody answers at the address of a machine's role.
func rolesMayBe(cfg Config) bool {
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return cfg.Endpoint == "" && os.Getenv("AWS_EC2_METADATA_DISABLED") != "true"
}
