package importer

import (
	"testing"

	"tallyman/internal/store"
)

func TestWriter(t *testing.T) {
	for _, c := range []struct {
		imp  store.Import
		want string
	}{
		{store.Import{ID: "imp_1", SourceName: "prices.csv"}, "import imp_1 (prices.csv)"},
		{store.Import{ID: "imp_1", SourceName: "prices.csv", CreatedBy: "key_abc"}, "import imp_1 (prices.csv, by key_abc)"},
		{store.Import{ID: "imp_1"}, "import imp_1"},
		{store.Import{ID: "imp_2", Source: "edit", SourceName: "edit.csv", CreatedBy: "cli"}, "an edit (imp_2, by cli)"},
		{store.Import{ID: "imp_3", Source: "undo", SourceName: "undo of prices.csv", UndoOf: "imp_1"}, "import imp_3 (undo of imp_1)"},
	} {
		if got := writer(&c.imp); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
