package jobs

import (
	"context"
	"log/slog"
)

// quiet returns a logger for River: what it finds worth an Info is our Debug,
// and its Debug is below that. Warnings and errors stay what they are, but one that
// comes again and again, as it does several times a second while the database is
// away, is written once a minute. Its errors get the key that ours have.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(quietHandler{log.Handler(), new(Repeats)})
}

type quietHandler struct {
	slog.Handler
	heard *Repeats
}

func quietLevel(l slog.Level) slog.Level {
	if l < slog.LevelWarn {
		return l - 4
	}
	return l
}

// ourKey gives an attribute the key that it has in our logs.
func ourKey(a slog.Attr) slog.Attr {
	if a.Key == "err" {
		a.Key = "error"
	}
	return a
}

func ourKeys(attrs []slog.Attr) []slog.Attr {
	ours := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		ours[i] = ourKey(a)
	}
	return ours
}

func (h quietHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, quietLevel(l))
}

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && h.heard.Again(r.Message, r.Time) {
		return nil
	}
	ours := slog.NewRecord(r.Time, quietLevel(r.Level), r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		ours.AddAttrs(ourKey(a))
		return true
	})
	return h.Handler.Handle(ctx, ours)
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(ourKeys(attrs)), h.heard}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name), h.heard}
}
