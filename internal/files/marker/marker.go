// Package marker says whose files are in a file store: one file there holds the
// installation of the database that names them. Keys say nothing about the
// database, so two of them in one place would write over each other's files, and
// remove those that only the other one names.
//
// What does not belong here: what an installation is (package store), and what is
// done about a place that belongs to another (package move and cmd/tallyman).
package marker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tallyman/internal/files"
)

// Key is the marker's.
const Key = "installation"

// text is what the marker holds behind the installation, for people.
const text = `The files here belong to the Tallyman database of this installation.
No other database may keep its files here; see docs/backup.md.
`

// Other says that a file store belongs to another database.
type Other struct {
	// Theirs is the installation that the marker names, "" where it names none; Mine
	// the one that was compared with it.
	Theirs, Mine string
}

func (o *Other) Error() string {
	theirs := o.Theirs
	if theirs == "" {
		theirs = "unknown"
	}
	return fmt.Sprintf("its files belong to another database (installation %s; this one is %s): give this database a bucket, prefix or folder of its own with --files; "+
		"where they are its files all the same, because it was made anew from an old backup, remove the file %q from there", theirs, o.Mine, Key)
}

// Owner returns the installation that a file store belongs to, "" where it is
// marked with none; *Other where the marker cannot be understood.
func Owner(ctx context.Context, s files.Store) (string, error) {
	r, err := s.Open(ctx, Key)
	if errors.Is(err, files.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read whose files they are: %w", err)
	}
	defer r.Close()
	head := make([]byte, min(r.Size(), maxHead))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read whose files they are: %w", err)
	}
	id, _, _ := strings.Cut(string(head), "\n")
	if id = strings.TrimSpace(id); !isInstallation(id) {
		return "", &Other{}
	}
	return id, nil
}

// maxHead is more than the line of an installation.
const maxHead = 256

func isInstallation(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}

// Check returns *Other where a file store belongs to another database than the
// installation's. One that is not marked belongs to nobody, which is well.
func Check(ctx context.Context, s files.Store, installation string) error {
	owner, err := Owner(ctx, s)
	var other *Other
	switch {
	case errors.As(err, &other):
		return &Other{Mine: installation}
	case err != nil:
		return err
	case owner != "" && owner != installation:
		return &Other{Theirs: owner, Mine: installation}
	}
	return nil
}

// Claim marks a file store that is not marked yet; *Other where it belongs to
// another database, also where that was quicker. Where two come at the same
// moment, the later Check of the first finds out.
func Claim(ctx context.Context, s files.Store, installation string) error {
	return Take(ctx, s, installation, "")
}

// Take is Claim, and takes the store over from one other installation: that of a
// database which is about to hold what is in this one.
func Take(ctx context.Context, s files.Store, installation, from string) error {
	owner, err := Owner(ctx, s)
	if err != nil || owner != "" && (owner == installation || owner != from) {
		return Check(ctx, s, installation)
	}
	if err := write(ctx, s, installation); err != nil {
		return fmt.Errorf("mark whose files they are: %w", err)
	}
	return Check(ctx, s, installation)
}

func write(ctx context.Context, s files.Store, installation string) error {
	w, err := s.Create(ctx, Key)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, installation+"\n"+text); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}
