package source

import (
	"fmt"
	"slices"

	"tallyman/internal/catalog"
)

// Default is the source that the REST door and the command line use when none
// is named and none is detected.
const Default = "products"

// All lists every ready source, of which detection chooses. A newcomer adds a
// function here and a golden case in testdata.
func All() []Definition {
	return []Definition{products()}
}

// own lists the sources of files that the program writes itself, which are
// always named and never detected.
func own() []Definition {
	return []Definition{edit()}
}

// ByID returns the source with this id, or a fault that lists those a file may
// be read by.
func ByID(id string) (Definition, error) {
	all := All()
	for _, d := range append(own(), all...) {
		if d.ID == id {
			return d, nil
		}
	}
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i] = d.ID
	}
	slices.Sort(ids)
	return Definition{}, &catalog.Fault{Kind: catalog.KindInvalid, Code: "unknown_source",
		Message: fmt.Sprintf("There is no source %q.", id), Hint: fmt.Sprintf("Choose one of %v.", ids),
		Fields: map[string][]string{"source": {"There is no such source."}}}
}
