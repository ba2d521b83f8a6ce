package s3

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/minio/minio-go/v7"

	"tallyman/internal/files"
)

// advice says what to do about an answer, by its code.
var advice = map[string]string{
	"NoSuchBucket":                 "the bucket does not exist; create it, or correct the bucket in the file store's URL",
	"InvalidBucketName":            "this is no name for a bucket; correct the bucket in the file store's URL",
	"InvalidAccessKeyId":           "the server does not know these credentials; check AWS_ACCESS_KEY_ID, AWS_PROFILE and the endpoint",
	"SignatureDoesNotMatch":        "the secret does not belong to the access key; check AWS_SECRET_ACCESS_KEY",
	"AccessDenied":                 "the credentials do not allow it; grant s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the objects, s3:ListBucket and s3:ListBucketMultipartUploads on the bucket",
	"ExpiredToken":                 "the credentials have expired; renew AWS_SESSION_TOKEN and the keys that belong to it",
	"InvalidToken":                 "the session token does not belong to the access key; check AWS_SESSION_TOKEN, or unset it",
	"RequestTimeTooSkewed":         "this machine's clock differs from the server's; set it right",
	"AuthorizationHeaderMalformed": "the bucket is in another region; correct region in the file store's URL",
	"InvalidRegion":                "the bucket is in another region; correct region in the file store's URL",
	"PermanentRedirect":            "the bucket is in another region; correct region or endpoint in the file store's URL",
	"KeyTooLongError":              "the key is longer than 1024 bytes with the prefix; shorten the prefix in the file store's URL",
	"QuotaExceeded":                "the server has no room left; free some, or raise the bucket's quota",
	"XMinioStorageFull":            "the server has no room left; free some",
}

// explain puts before an error what to do about it, where that is known.
func (s *Store) explain(err error) error {
	if res, ok := errors.AsType[minio.ErrorResponse](err); ok {
		if text, ok := advice[res.Code]; ok {
			return fmt.Errorf("%s (%s: %w)", text, res.Code, err)
		}
		return fmt.Errorf("%w (%s, status %d)", err, res.Code, res.StatusCode)
	}
	_, unknown := errors.AsType[*net.DNSError](err)
	switch {
	case unknown, errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server is there; start it, or correct endpoint in the file store's URL (%w)", err)
	case wrongTLS(err):
		return fmt.Errorf("the connection is not secure; correct http or https in endpoint, or name the server's certificate in AWS_CA_BUNDLE (%w)", err)
	}
	return err
}

// notFound turns the answer that there is no such object into files.ErrNotFound.
func notFound(err error) error {
	if codeOf(err) == "NoSuchKey" {
		return files.ErrNotFound
	}
	return err
}

func codeOf(err error) string {
	res, _ := errors.AsType[minio.ErrorResponse](err)
	return res.Code
}
