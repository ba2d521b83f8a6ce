package tabular

import (
	"tallyman/internal/catalog"
)

// Open returns a decoder of the records that begin in a section. columns names,
// by index from 0, the cells that are wanted; the others are left "" and the
// record ends after the highest one that is named. nil means all cells. A scan
// for keys is several times faster with columns than without.
//
// The decoder may look past the section's end, up to the end of the file, to
// tell where a record that begins in it ends; so sections that are cut at
// record boundaries give together what one section gives.
func Open(src Source, layout *Layout, sec Section, lim Limits, columns []int) (Decoder, error) {
	if layout.Format == CSV {
		return openCSV(src, layout, sec, lim.orDefaults(), columns)
	}
	return nil, &catalog.Fault{Kind: catalog.KindRefused, Code: "unsupported_format",
		Message: "Files of the format " + string(layout.Format) + " cannot be read yet.",
		Hint:    "Save the file as CSV and upload that."}
}
