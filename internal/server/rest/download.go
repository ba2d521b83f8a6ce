package rest

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tallyman/internal/account"
	"tallyman/internal/server"
)

// csvText says what all CSV files of this door are like.
const csvText = "UTF-8 with a byte-order mark, CRLF, and a quote before cells that a spreadsheet would run as formulas."

// file is a CSV file that is written while it is sent.
type file struct {
	name  string
	write func(ctx context.Context, w io.Writer) error
}

type fileAnswer struct{ Body func(huma.Context) }

// download registers a GET that answers a CSV file.
func download[I any](d *door, api huma.API, op huma.Operation, find func(account.Principal, *I) file) {
	op.Method = http.MethodGet
	op = documented(op)
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	operation(d, api, op, account.Read, func(_ context.Context, p account.Principal, in *I) (*fileAnswer, error) {
		f := find(p, in)
		return &fileAnswer{Body: func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			d.send(w, r, f)
		}}, nil
	})
}

// send writes a file as the answer. What goes wrong before its first byte is an
// answer like any other.
func (d *door) send(w http.ResponseWriter, r *http.Request, f file) {
	out := &fileWriter{w: w, name: f.name}
	err := f.write(r.Context(), out)
	switch {
	case err == nil:
		out.begin()
	case !out.begun:
		d.fail(w, r, err)
	default:
		d.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "download broke off",
			slog.String(server.LogRequest, server.RequestID(r.Context())), slog.String("file", f.name), slog.Any("error", err))
		// The status is sent: a cut connection is the one sign left that this is
		// not the whole file.
		panic(http.ErrAbortHandler)
	}
}

// fileWriter begins the answer with the file's first byte.
type fileWriter struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (f *fileWriter) begin() {
	if f.begun {
		return
	}
	f.begun = true
	f.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	f.w.Header().Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	f.w.WriteHeader(http.StatusOK)
}

func (f *fileWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f.begin()
	return f.w.Write(p)
}
