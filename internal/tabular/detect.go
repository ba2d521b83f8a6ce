package tabular

import (
	"fmt"

	"tallyman/internal/catalog"
)

// DetectOptions are what a user says of a file; zero values leave it to Detect.
type DetectOptions struct {
	// Format, Encoding and Delimiter are values that Layout has under the same
	// names.
	Format    Format
	Encoding  string
	Delimiter string
	// HeaderRow is the number of the record that holds the column names, with
	// the first of the file as 1. Zero means the first that is not blank.
	HeaderRow int64
}

// Codes of the faults of Detect, Open and Spool.
const (
	faultEmptyFile         = "empty_file"
	faultUnknownFormat     = "unknown_format"
	faultUnsupportedFormat = "unsupported_format"
	faultBadEncoding       = "bad_encoding"
	faultBadDelimiter      = "bad_delimiter"
	faultBadHeader         = "bad_header"
)

// Detect tells from the first SniffBytes of a file what it is and how its
// records are to be read. head is the file's beginning (all of it, where the
// file is shorter), size the whole file's, and name its name, which only tips
// the scales.
//
// What cannot be imported is a *catalog.Fault of KindRefused that says what to
// do, with the code empty_file, unknown_format, bad_encoding or bad_header; an
// option that makes no sense is one of KindInvalid.
func Detect(head []byte, size int64, name string, opt DetectOptions) (*Layout, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	h := sniffed{bytes: head[:min(len(head), SniffBytes)], name: name}
	h.cut = size > int64(len(h.bytes))
	if size == 0 || len(h.bytes) == 0 {
		return nil, emptyFile("The file has no content.")
	}
	layout := &Layout{Format: opt.Format}
	if layout.Format == "" {
		if err := detectFormat(h, layout); err != nil {
			return nil, err
		}
	} else {
		layout.because("The format %s was given.", layout.Format)
	}
	if layout.Format != CSV {
		return layout, nil
	}
	text, err := detectEncoding(h, opt.Encoding, layout)
	if err != nil {
		return nil, err
	}
	if err := detectCSV(text, h, opt, layout); err != nil {
		return nil, err
	}
	return layout, nil
}

// sniffed is the beginning of a file.
type sniffed struct {
	bytes []byte
	// cut says that the file goes on behind it.
	cut  bool
	name string
}

// because adds a reason.
func (l *Layout) because(format string, args ...any) {
	l.Why = append(l.Why, fmt.Sprintf(format, args...))
}

func (o DetectOptions) validate() error {
	switch o.Format {
	case "", CSV, XLSX, JSON:
	default:
		return catalog.Faultf(catalog.KindInvalid, faultUnknownFormat, "The format %q is not known; use csv, xlsx or json.", o.Format)
	}
	switch o.Encoding {
	case "", UTF8, UTF16LE, UTF16BE, Windows1252:
	default:
		return catalog.Faultf(catalog.KindInvalid, faultBadEncoding, "The encoding %q is not known; use utf-8, utf-16le, utf-16be or windows-1252.", o.Encoding)
	}
	switch o.Delimiter {
	case "", ",", ";", "\t", "|":
	default:
		return catalog.Faultf(catalog.KindInvalid, faultBadDelimiter, "The delimiter %q is not known; use a comma, a semicolon, a tab or a pipe.", o.Delimiter)
	}
	if o.HeaderRow < 0 {
		return catalog.Faultf(catalog.KindInvalid, faultBadHeader, "The header cannot be row %d; rows count from 1.", o.HeaderRow)
	}
	return nil
}

func emptyFile(message string) *catalog.Fault {
	return &catalog.Fault{Kind: catalog.KindRefused, Code: faultEmptyFile, Message: message,
		Hint: "Upload a file with a header and at least one row."}
}
