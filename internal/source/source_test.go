package source_test

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
	"tallyman/internal/source"
	"tallyman/internal/tabular"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each golden file is one story: definition.json overrules the source that its id
// names, or the default one; input.csv is the file, changes.txt what its rows ask for (or the fault).
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range ar.Files {
				files[f.Name] = string(f.Data)
			}
			got := render(t, files["definition.json"], files["input.csv"])
			if !*update {
				if got != files["changes.txt"] {
					t.Errorf("got:\n%s\nwant:\n%s", got, files["changes.txt"])
				}
				return
			}
			for i := range ar.Files {
				if ar.Files[i].Name == "changes.txt" {
					ar.Files[i].Data = []byte(got)
				}
			}
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// render maps the file and words the result.
func render(t *testing.T, definition, input string) string {
	t.Helper()
	named := source.Definition{ID: source.Default}
	overrule(t, definition, &named)
	def, err := source.ByID(named.ID)
	if err != nil {
		t.Fatal(err)
	}
	overrule(t, definition, &def)
	r := csv.NewReader(strings.NewReader(input))
	r.FieldsPerRecord = -1
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	b, err := def.Bind(records[0], catalog.NewSchema(1, nil), "")
	if err != nil {
		return wordFault(err)
	}
	var sb strings.Builder
	if len(b.Left) > 0 {
		fmt.Fprintf(&sb, "left out: %q\n", b.Left)
	}
	m := b.Mapper(catalog.Upsert)
	for i, cells := range records[1:] {
		var g catalog.Group
		m.Map(&tabular.Record{Number: int64(i + 2), Line: int64(i + 2), Cells: cells}, &g)
		wordGroup(&sb, &g)
		keys := m.Keys(&tabular.Record{Number: int64(i + 2), Cells: cells}, nil)
		fmt.Fprintf(&sb, "  unique: %v\n", words(keys))
	}
	return sb.String()
}

func overrule(t *testing.T, definition string, def *source.Definition) {
	t.Helper()
	if definition == "" {
		return
	}
	if err := json.Unmarshal([]byte(definition), def); err != nil {
		t.Fatal(err)
	}
}

func wordFault(err error) string {
	f := catalog.AsFault(err)
	if f == nil {
		return "not a fault: " + err.Error() + "\n"
	}
	var sb strings.Builder
	fmt.Fprintf(&sb, "%s: %s\n", f.Code, f.Error())
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		fmt.Fprintf(&sb, "  %s: %s\n", name, strings.Join(f.Fields[name], " "))
	}
	return sb.String()
}

func words(keys []catalog.Key) []string {
	out := []string{}
	for _, k := range keys {
		out = append(out, k.Field.String()+"="+k.Value)
	}
	return out
}

func wordGroup(sb *strings.Builder, g *catalog.Group) {
	for _, r := range g.Rows {
		fmt.Fprintf(sb, "row %d", r.Number)
		if r.Skip {
			sb.WriteString(" skipped")
		}
		fmt.Fprintf(sb, " ident %v\n", words(r.Ident))
		for _, p := range r.Problems {
			severity := p.Severity.String()
			if p.Severity == catalog.ErrorOnCreate {
				severity = "error on create"
			}
			fmt.Fprintf(sb, "  %s %s in %q value %q: %s\n", severity, p.Code, p.Column, p.Value, p.Message)
		}
	}
	for _, c := range g.Changes {
		fmt.Fprintf(sb, "  %s by %v", c.Kind, words(c.Keys))
		if c.AtVersion != 0 {
			fmt.Fprintf(sb, " at version %d", c.AtVersion)
		}
		if c.Delete {
			sb.WriteString(" deleted")
		}
		sb.WriteString("\n")
		for _, op := range c.Ops {
			name := [...]string{"", "set", "unset", "default", "prepend", "append", "remove"}[op.Kind]
			value := ""
			if op.Kind == catalog.OpSet {
				value = " " + string(op.Value.AppendJSON(nil))
			}
			fmt.Fprintf(sb, "    %s %s%s\n", name, op.Field.Name, value)
		}
	}
}

// Whatever the cells are, mapping a row never panics, its operations stand in
// order, one for each field, and a row with an error asks for nothing.
func TestMapLaws(t *testing.T) {
	for id, header := range map[string][]string{
		source.Default: {"ean", "sku", "title", "price", "currency", "stock", "weight", "images", "attributes.color", "title@fr"},
		source.Edit:    {"id", "@version", "@delete", "title", "price", "tags", "images", "attributes.color", "title@fr"},
	} {
		t.Run(id, func(t *testing.T) {
			def, err := source.ByID(id)
			if err != nil {
				t.Fatal(err)
			}
			b, err := def.Bind(header, catalog.NewSchema(1, nil), "")
			if err != nil {
				t.Fatal(err)
			}
			checkMapLaws(t, b.Mapper(catalog.Upsert))
			checkSketchLaws(t, b, len(header))
		})
	}
}

func anyCell() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " ", "4006381333931", "4006381333932", "12,50", "1.234", "A-1", "EUR", "7", `\delete`, "http://a/b.jpg|http://a/c.jpg", "\u00a0x", "true", `["http://a/b.jpg"]`, "[]", "null"}))
}

func checkMapLaws(t *testing.T, m source.Mapper) {
	rapid.Check(t, func(t *rapid.T) {
		rec := &tabular.Record{Number: 2, Cells: rapid.SliceOfN(anyCell(), 0, 12).Draw(t, "cells")}
		var g catalog.Group
		m.Map(rec, &g)
		if len(g.Rows) != 1 || len(g.Changes) > 1 {
			t.Fatalf("%d rows, %d changes", len(g.Rows), len(g.Changes))
		}
		r := g.Rows[0]
		if len(g.Changes) == 0 {
			if !r.Skip && !catalog.HasErrors(r.Problems) {
				t.Fatalf("the row asks for nothing and does not say why: %+v", r)
			}
			return
		}
		if catalog.HasErrors(r.Problems) {
			t.Fatal("a row with an error asks for a change")
		}
		c := g.Changes[0]
		if len(c.Keys) == 0 {
			t.Fatal("the change has no key")
		}
		if c.Delete && len(c.Ops) > 0 {
			t.Fatal("the item is changed and deleted")
		}
		for i := 1; i < len(c.Ops); i++ {
			if c.Ops[i-1].Field.Name >= c.Ops[i].Field.Name {
				t.Fatalf("operations out of order: %s, %s", c.Ops[i-1].Field.Name, c.Ops[i].Field.Name)
			}
		}
	})
}

// A sketch is what mapping gives, but for the operations, wherever mapping finds
// nothing wrong; else no item has its hash.
func checkSketchLaws(t *testing.T, b *source.Binding, width int) {
	rapid.Check(t, func(t *rapid.T) {
		m := b.Mapper(rapid.SampledFrom([]catalog.Mode{catalog.Upsert, catalog.Update, catalog.Create}).Draw(t, "mode"))
		rec := &tabular.Record{Number: 2, Line: 3, Cells: rapid.SliceOfN(anyCell(), 0, 12).Draw(t, "cells")}
		var sketch, whole catalog.Group
		sketched := m.Sketch(rec, &sketch)
		m.Map(rec, &whole)
		clean := len(whole.Rows[0].Problems) == 0
		if len(whole.Changes) == 1 && clean && whole.Changes[0].Hash != 0 && len(rec.Cells) <= width && !sketched {
			t.Fatal("a row that can be told by its hash is not sketched")
		}
		if !sketched {
			if len(sketch.Rows)+len(sketch.Changes) > 0 {
				t.Fatal("what is not sketched is left in the group")
			}
			return
		}
		got, row := sketch.Changes[0], sketch.Rows[0]
		if len(sketch.Rows) != 1 || len(sketch.Changes) != 1 || row.Number != 2 || row.Line != 3 || row.Problems != nil || got.Hash == 0 {
			t.Fatalf("sketched as %+v", sketch)
		}
		if !clean {
			if len(whole.Changes) > 0 && whole.Changes[0].Hash == got.Hash {
				t.Fatal("a row with problems has the hash of one without")
			}
			return
		}
		want := whole.Changes[0]
		want.Ops = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-mapped +sketched:\n%s", diff)
		}
	})
}

func TestDetectSaysWhy(t *testing.T) {
	c, err := source.Detect([]string{"EAN", "Titre", "Prix"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Definition.ID != source.Default || !strings.Contains(c.Why, "3 of 3") {
		t.Errorf("chose %s because %q", c.Definition.ID, c.Why)
	}
}

func TestAnEditIsNamedAndNeverDetected(t *testing.T) {
	d, err := source.ByID(source.Edit)
	if err != nil || d.ID != source.Edit {
		t.Fatalf("by its id: %v, %v", d.ID, err)
	}
	c, err := source.Detect([]string{"id", "@version", "@delete"})
	if err != nil || c.Definition.ID == source.Edit {
		t.Errorf("detected %s, %v", c.Definition.ID, err)
	}
	_, err = source.ByID("none")
	if err == nil || strings.Contains(err.Error(), source.Edit) {
		t.Errorf("a file may be read by what %q lists", err)
	}
}

func TestOwnColumnsDoNotCountInDetection(t *testing.T) {
	c, err := source.Detect([]string{"EAN", "Titre", "tallyman_row", "tallyman_status"})
	if err != nil || !strings.Contains(c.Why, "2 of 2") {
		t.Errorf("chose because %q, %v", c.Why, err)
	}
}

func TestMissingIsChecked(t *testing.T) {
	for missing, ok := range map[string]bool{"": true, "leave": true, "deactivate": true, "delete": true, "Delete": false, "drop": false} {
		d, _ := source.ByID(source.Default)
		d.Missing = missing
		_, err := d.Bind([]string{"sku"}, catalog.NewSchema(1, nil), "")
		f := catalog.AsFault(err)
		if ok != (err == nil) || !ok && (f == nil || f.Kind != catalog.KindInvalid || len(f.Fields["missing"]) != 1) {
			t.Errorf("%q: %v", missing, err)
		}
	}
}

func TestEveryReadySourceBindsItsOwnHeader(t *testing.T) {
	edit, err := source.ByID(source.Edit)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range append(source.All(), edit) {
		header := make([]string, len(d.Columns))
		for i, c := range d.Columns {
			header[i] = c.Name
		}
		b, err := d.Bind(header, catalog.NewSchema(1, nil), "")
		if err != nil {
			t.Errorf("%s: %v", d.ID, err)
			continue
		}
		if len(b.Left) > 0 {
			t.Errorf("%s leaves out its own columns %q", d.ID, b.Left)
		}
	}
}
