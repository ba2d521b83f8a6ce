package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// writerOf returns a function that words, for people, whose write an import's
// is. It remembers imports that it has read, and may be called from several
// goroutines.
func (s *Service) writerOf(ctx context.Context, ws store.Workspace) func(importNo int64) string {
	var mu sync.Mutex
	words := make(map[int64]string)
	return func(no int64) string {
		mu.Lock()
		defer mu.Unlock()
		if w, ok := words[no]; ok {
			return w
		}
		imp, err := s.cfg.Store.ImportNo(ctx, ws.WS, no)
		if err != nil {
			// A message can do without the import's name.
			return fmt.Sprintf("import %d", no)
		}
		words[no] = writer(&imp)
		return words[no]
	}
}

// writer words whose write an import's is: "import imp_… (prices.csv, by key_…)",
// "an edit (imp_…, by key_…)", "import imp_… (undo of imp_…)".
func writer(imp *store.Import) string {
	by := ""
	if imp.CreatedBy != "" {
		by = "by " + imp.CreatedBy
	}
	switch {
	case imp.Source == SourceEdit:
		return "an edit" + inBrackets(imp.ID, by)
	case imp.UndoOf != "":
		return "import " + imp.ID + inBrackets("undo of "+imp.UndoOf, by)
	}
	return "import " + imp.ID + inBrackets(catalog.Shorten(imp.SourceName), by)
}

// inBrackets puts what there is of notes in brackets.
func inBrackets(notes ...string) string {
	notes = slices.DeleteFunc(notes, func(n string) bool { return n == "" })
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, ", ") + ")"
}
