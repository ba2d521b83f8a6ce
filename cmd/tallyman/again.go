package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// askAgain asks before a file is imported whose very content was imported before.
// It reads the file once and leaves it at its beginning; what can be read only
// once is not asked about.
func (p *program) askAgain(ctx context.Context, d desk, body io.Reader, source string) (bool, error) {
	file, ok := body.(*os.File)
	if !ok {
		return true, nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return true, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx: ctx, r: file}); err != nil {
		return false, fmt.Errorf("read file: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false, fmt.Errorf("read file: %w", err)
	}
	v, found, err := d.sameContent(ctx, hex.EncodeToString(hash.Sum(nil)), source)
	if err != nil || !found {
		return err == nil, err
	}
	since := ""
	if v.UndoneBy != "" {
		since = " (its undo: " + v.UndoneBy + ")"
	}
	return p.ask(ctx, fmt.Sprintf("Already imported as %s on %s%s; import again?", v.ID, maybeClock(v.CreatedAt), since))
}
