package s3

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"tallyman/internal/files"
)

// A bucket that takes nothing more says so at once, and lets files be removed.
func TestABucketWithoutRoom(t *testing.T) {
	for code, status := range map[string]int{"QuotaExceeded": 403, "XMinioStorageFull": 507, "Whatever": 507} {
		t.Run(code, func(t *testing.T) {
			full := false
			s := openAt(t, between(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if !full || r.Method != http.MethodPut && r.Method != http.MethodPost {
					pass(w, r)
					return
				}
				w.WriteHeader(status)
				io.WriteString(w, "<Error><Code>"+code+"</Code><Message>m</Message></Error>")
			}))
			mustPut(t, s, "1/file", []byte("x"))
			full = true
			w, err := s.Create(t.Context(), "1/other")
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if _, err = io.WriteString(w, "y"); err == nil {
				_, err = w.Commit(t.Context())
			}
			if !errors.Is(err, files.ErrNoRoom) || !errors.Is(err, files.ErrUnavailable) {
				t.Errorf("it said %v", err)
			}
			if err := s.Delete(t.Context(), "1/file"); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
	}
}
