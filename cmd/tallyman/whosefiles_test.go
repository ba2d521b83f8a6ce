//go:build !race

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two data folders that name one place for their files: the second is refused
// before it does anything, by every command, and the first goes on.
func TestTwoDatabasesDoNotShareFiles(t *testing.T) {
	dir := t.TempDir()
	files, one, two := filepath.Join(dir, "files"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	file := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(file, []byte("sku,title\nA,a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", one, "--files", files)
	if said := says(t, exitComplete, "doctor", "--data", one, "--files", files); !strings.Contains(said, "this database (installation ") {
		t.Errorf("doctor says\n%s", said)
	}
	before := tree(t, files)
	says(t, exitComplete, "import", file, "--quiet", "--data", two)
	for _, command := range [][]string{{"import", file, "--quiet"}, {"serve", "--listen", "127.0.0.1:0"}, {"doctor"}} {
		said := says(t, exitOther, append(command, "--data", two, "--files", files)...)
		for _, want := range []string{"file store " + files, "belong to another database", "of its own with --files"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", command[0], want, said)
			}
		}
	}
	if after := tree(t, files); after != before {
		t.Errorf("there were\n%s\nthere are\n%s", before, after)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", one, "--files", files)

	// Without the mark they are whose comes first.
	if err := os.Remove(filepath.Join(files, "installation")); err != nil {
		t.Fatal(err)
	}
	says(t, exitComplete, "import", file, "--quiet", "--data", two, "--files", files)
	says(t, exitOther, "import", file, "--quiet", "--data", one, "--files", files)
}

// tree lists the files in a folder, one a line.
func tree(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all.WriteString(path + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
