package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/catalog"
	"tallyman/internal/files"
	"tallyman/internal/importer"
	"tallyman/internal/server"
	"tallyman/internal/server/upload"
	"tallyman/internal/store"
)

// The door's own error words (contract sources.md 1.3 and, for what it does not
// name, ours).
const (
	codeInvalidAPIKey     = "invalid_api_key"
	codePermissionDenied  = "permission_denied"
	codeNotFound          = "not_found"
	codeValidation        = "validation_error"
	codeRateLimitExceeded = "rate_limit_exceeded"
	codeMethodNotAllowed  = "method_not_allowed"
	codeUnavailable       = "unavailable"
	codeInternal          = "internal_error"
	codeBodyTooLarge      = "body_too_large"

	// Of requests with an Idempotency-Key.
	codeRequestInFlight = "request_in_flight"
	codeKeyReused       = "idempotency_key_reused"
	// Of a product that is not as the request says it is.
	codeVersionConflict = "version_conflict"
)

// Failure is the body of every answer that is no success.
type Failure struct {
	Code       string              `json:"error" doc:"What is wrong, as a stable word" example:"validation_error"`
	Message    string              `json:"message" doc:"What is wrong and what to do, for people"`
	Details    map[string][]string `json:"details,omitempty" doc:"Messages by field of the request"`
	ImportID   string              `json:"import_id,omitempty" doc:"The refused import, which is listed with its reason" example:"imp_01HQ3K5V8Z6Y4X2W0T1R3P5N7M"`
	RetryAfter int                 `json:"retry_after,omitempty" doc:"Seconds until the request may be sent again"`
	RequestID  string              `json:"request_id" doc:"The id of the request, to be named to the operator"`
	status     int
	// outage says that it is logged like what is wrong on our side.
	outage bool
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// GetStatus returns the HTTP status; with it a Failure is a huma.StatusError.
func (f *Failure) GetStatus() int { return f.status }

// GetHeaders returns the headers that go with the status.
func (f *Failure) GetHeaders() http.Header {
	h := make(http.Header)
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="tallyman"`)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	return h
}

var (
	_ huma.StatusError  = (*Failure)(nil)
	_ huma.HeadersError = (*Failure)(nil)
)

// rateExceeded says that a key made too many requests.
type rateExceeded struct{ after time.Duration }

func (e *rateExceeded) Error() string { return "rate limit exceeded" }

// kinds says which status a kind of fault has, and the word for it where the
// fault brings none.
var kinds = map[catalog.ErrorKind]struct {
	status int
	code   string
}{
	catalog.KindInternal:     {http.StatusInternalServerError, codeInternal},
	catalog.KindInvalid:      {http.StatusUnprocessableEntity, codeValidation},
	catalog.KindNotFound:     {http.StatusNotFound, codeNotFound},
	catalog.KindConflict:     {http.StatusConflict, "conflict"},
	catalog.KindUnauthorized: {http.StatusUnauthorized, codeInvalidAPIKey},
	catalog.KindForbidden:    {http.StatusForbidden, codePermissionDenied},
	catalog.KindTooLarge:     {http.StatusRequestEntityTooLarge, "file_too_large"},
	catalog.KindRefused:      {http.StatusUnprocessableEntity, "import_failed"},
	catalog.KindRateLimited:  {http.StatusTooManyRequests, codeRateLimitExceeded},
	catalog.KindUnavailable:  {http.StatusServiceUnavailable, codeUnavailable},
}

// statuses are those of codes whose kind does not tell: requests that cannot even
// be read, and a condition of the request that does not hold.
var statuses = map[string]int{
	upload.CodeUnsupportedMediaType: http.StatusUnsupportedMediaType,
	upload.CodeMalformed:            http.StatusBadRequest,
	upload.CodeIncomplete:           http.StatusBadRequest,
	upload.CodeTimeout:              http.StatusRequestTimeout,
	codeMethodNotAllowed:            http.StatusMethodNotAllowed,
	codeVersionConflict:             http.StatusPreconditionFailed,
}

// unread are the words for bodies that huma could not read, by its statuses.
var unread = map[int]string{
	http.StatusBadRequest:            upload.CodeMalformed,
	http.StatusRequestTimeout:        upload.CodeTimeout,
	http.StatusRequestEntityTooLarge: codeBodyTooLarge,
	http.StatusUnsupportedMediaType:  upload.CodeUnsupportedMediaType,
	http.StatusInternalServerError:   upload.CodeIncomplete,
}

// retryUnavailable is what a client is told to wait when the program is not
// ready, retryInFlight when its own request is still being done; in seconds.
const (
	retryUnavailable = 5
	retryInFlight    = 2
)

// failure is the one place where errors become statuses and bodies. What is not
// the client's doing is logged here, and the client is told no more than that.
func (d *door) failure(ctx context.Context, err error) *Failure {
	f := translate(err)
	f.RequestID = server.RequestID(ctx)
	if f.status == http.StatusInternalServerError || f.outage {
		d.cfg.Log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String(server.LogRequest, f.RequestID), slog.Any("error", err))
	}
	return f
}

func translate(err error) *Failure {
	var exceeded *rateExceeded
	fault := catalog.AsFault(err)
	switch {
	case errors.As(err, &exceeded):
		seconds := int(math.Ceil(exceeded.after.Seconds()))
		return &Failure{status: http.StatusTooManyRequests, Code: codeRateLimitExceeded, RetryAfter: max(seconds, 1),
			Message: fmt.Sprintf("Too many requests; try again in %d seconds.", max(seconds, 1))}
	case fault != nil && fault.Kind != catalog.KindInternal:
		return translateFault(err, fault)
	case errors.Is(err, store.ErrNotFound):
		return &Failure{status: http.StatusNotFound, Code: codeNotFound, Message: "There is no such thing."}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, files.ErrUnavailable):
		return &Failure{status: http.StatusServiceUnavailable, Code: codeUnavailable, RetryAfter: retryUnavailable, outage: true,
			Message: "The server cannot reach all that it works on just now; try again in a moment."}
	case errors.Is(err, context.Canceled):
		return &Failure{status: http.StatusServiceUnavailable, Code: codeUnavailable, RetryAfter: retryUnavailable,
			Message: "The request was given up."}
	}
	return &Failure{status: http.StatusInternalServerError, Code: codeInternal,
		Message: "Something went wrong on our side; try again, and tell the operator the request id if it stays so."}
}

func translateFault(err error, fault *catalog.Fault) *Failure {
	k := kinds[fault.Kind]
	f := &Failure{status: k.status, Code: fault.Code, Message: strings.TrimSpace(fault.Message + " " + fault.Hint), Details: fault.Fields}
	if status, ok := statuses[fault.Code]; ok {
		f.status = status
	}
	if f.Code == "" || fault.Kind == catalog.KindInvalid && len(fault.Fields) > 0 {
		f.Code = k.code
	}
	switch {
	case fault.Kind == catalog.KindUnavailable:
		f.RetryAfter = retryUnavailable
	case fault.Code == codeRequestInFlight:
		f.RetryAfter = retryInFlight
	}
	var refused *importer.Refusal
	if errors.As(err, &refused) {
		f.ImportID = refused.Import.ID
	}
	return f
}

// fail answers a request with an error.
func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := d.failure(r.Context(), err)
	for k, v := range f.GetHeaders() {
		w.Header()[k] = v
	}
	writeJSON(w, f.status, f)
}

// invalidField is a fault of one field of a request.
func invalidField(field, message string) *catalog.Fault {
	return &catalog.Fault{Kind: catalog.KindInvalid, Code: codeValidation, Message: "The request is not valid.",
		Fields: map[string][]string{field: {message}}}
}

// ownWords turns the errors that huma itself finds in path and query into the
// door's body. It is a huma.Transformer, so that no global of huma is touched.
func ownWords(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	ctx.SetHeader("Content-Type", "application/json")
	f := &Failure{Code: codeValidation, Message: "The request is not valid.", RequestID: server.RequestID(ctx.Context())}
	if code, ok := unread[m.Status]; ok {
		f.Code, f.Message = code, "The request's body could not be read."
	}
	for _, e := range m.Errors {
		place, field, inside := strings.Cut(e.Location, ".")
		if !inside {
			field = place
		}
		if f.Details == nil {
			f.Details = make(map[string][]string)
		}
		f.Details[field] = append(f.Details[field], e.Message)
	}
	return f, nil
}

// writeJSON answers with a JSON body. A client that has gone is no error.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
