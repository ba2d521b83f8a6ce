package importer_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/source"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// A story imports the CSV files of a txtar archive one after another, in order
// of their names, and tells what came of each and what the catalog then holds.
// The option line of a file is the first line of options.txt that begins with
// its name, as JSON.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, want := tell(newStack(t, nil), ar)
			if got == want {
				return
			}
			if !*update {
				t.Fatalf("got:\n%s\nwant:\n%s", got, want)
			}
			ar.Files[len(ar.Files)-1].Data = []byte(got)
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// options of a story's file, as they stand in options.txt.
type options struct {
	Mode     string            `json:"mode"`
	Mapping  map[string]string `json:"mapping"`
	Encoding string            `json:"encoding"`
	Blank    string            `json:"blank"`
	Check    string            `json:"gtin_check"`
}

func tell(s *stack, ar *txtar.Archive) (got, want string) {
	var sb strings.Builder
	opts := map[string]options{}
	for _, f := range ar.Files {
		switch {
		case f.Name == "options.txt":
			for line := range strings.Lines(string(f.Data)) {
				name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
				var o options
				if err := json.Unmarshal([]byte(text), &o); err != nil {
					s.t.Fatal(err)
				}
				opts[name] = o
			}
		case f.Name == "story.txt":
			want = string(f.Data)
		default:
			tellImport(s, &sb, f.Name, string(f.Data), opts[f.Name])
		}
	}
	fmt.Fprintf(&sb, "catalog:\n%s\n", s.dump())
	return sb.String(), want
}

func tellImport(s *stack, sb *strings.Builder, name, content string, o options) {
	opt := importer.Options{Encoding: o.Encoding, Blank: o.Blank, GTINCheck: o.Check}
	if o.Mode != "" {
		opt.Mode, opt.HasMode = mustMode(s.t, o.Mode), true
	}
	for column, field := range o.Mapping {
		opt.Mapping = append(opt.Mapping, source.Mapping{Column: column, Field: field})
		opt.MappingOnly = true
	}
	imp, err := s.begin(name, content, opt)
	if err != nil {
		f := catalog.AsFault(err)
		if f == nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(sb, "%s: %s %s: %s\n", name, "refused", f.Code, f.Error())
		return
	}
	imp = s.await(imp.ID, func(st storeState) bool { return st.Ended() })
	s.checkTally(imp)
	t := imp.Tally
	fmt.Fprintf(sb, "%s: %s, %d rows: %d created, %d updated, %d unchanged, %d failed, %d skipped; %d errors, %d warnings\n",
		name, imp.State, imp.Rows, t.Created, t.Updated, t.Unchanged, t.Failed, t.Skipped, t.Errors, t.Warnings)
	for _, e := range s.rows(imp.ID) {
		fmt.Fprintf(sb, "  row %d %s\n", e.Row, e.Outcome)
		for _, p := range e.Problems {
			fmt.Fprintf(sb, "    line %d %s %s in %q: %s\n", e.Line, p.Severity, p.Code, p.Column, p.Message)
		}
	}
}

func mustMode(t testing.TB, name string) catalog.Mode {
	m, ok := catalog.ParseMode(name)
	if !ok {
		t.Fatalf("no mode %q", name)
	}
	return m
}
