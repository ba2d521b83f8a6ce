// Package tabular turns bytes into records: it tells what a file is (Detect),
// reads it record by record from any record boundary (Open), and writes formats
// that cannot be entered in the middle once as a spool that can.
//
// A format is one file here and one run of the suite in tabulartest. What does
// not belong here: what the cells mean (package source), where files lie
// (package files: this package reads an io.ReaderAt), and how work is cut into
// batches and resumed (package importer).
package tabular

import (
	"errors"
	"io"

	"tallyman/internal/catalog"
)

// Format names a file format.
type Format string

const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
	JSON Format = "json"
)

// Encodings that Layout.Encoding may name.
const (
	UTF8        = "utf-8"
	UTF16LE     = "utf-16le"
	UTF16BE     = "utf-16be"
	Windows1252 = "windows-1252"
)

// Layout says how a file's bytes become records. It is found once by Detect
// (or told by a user), stored with the import, and the same for every batch.
type Layout struct {
	Format   Format `json:"format"`
	Encoding string `json:"encoding,omitempty"`
	// Delimiter separates cells: ',', ';', '\t' or '|'.
	Delimiter string `json:"delimiter,omitempty"`
	// RecordEnd is "\n" (with or without a CR before it) or "\r".
	RecordEnd string `json:"record_end,omitempty"`
	// Header is the file's header as it stands, in order; names may repeat or
	// be empty.
	Header []string `json:"header"`
	// DataOffset is the byte at which the first record after the header begins,
	// DataRow that record's number and DataLine its physical line.
	DataOffset int64 `json:"data_offset"`
	DataRow    int64 `json:"data_row"`
	DataLine   int64 `json:"data_line"`
	// Spooled says that records are to be read from a spool, in UTF-8, with the
	// offsets above being the spool's.
	Spooled bool `json:"spooled,omitempty"`
	// Why says, in words for people, how each finding was made.
	Why []string `json:"why,omitempty"`
	// Warnings are findings that a user should know of, such as a guessed encoding.
	Warnings []catalog.Problem `json:"warnings,omitempty"`
}

// Record is one row of data as the file has it. A decoder reuses it: Cells is
// good until the next call, the strings in it for ever.
type Record struct {
	// Number is the record's ordinal with the header as 1; blank lines count.
	Number int64
	// Line is the physical line (from 1) on which the record begins, 0 where the
	// format has none.
	Line int64
	// Offset is the byte at which the record begins.
	Offset int64
	// Cells are the record's cells in order. There may be fewer than the header
	// has, or more.
	Cells []string
	// Quoted is a bit for each of the first 64 cells that stood in quotes.
	Quoted uint64
	// Problem says why the record could not be read; Cells then holds what could.
	Problem *catalog.Problem
}

// Blank reports whether every cell is empty or blanks.
func (r *Record) Blank() bool {
	for _, c := range r.Cells {
		for i := 0; i < len(c); i++ {
			if c[i] != ' ' && c[i] != '\t' {
				return false
			}
		}
	}
	return true
}

// Section is a run of whole records: it begins at a record boundary and ends
// at one or at the end of the file.
type Section struct {
	Offset    int64
	Length    int64 // in bytes; -1 for "to the end"
	FirstRow  int64 // Number of its first record
	FirstLine int64
}

// Limits bound what a decoder holds in memory. The zero value means defaults.
type Limits struct {
	// RecordBytes bounds one record; a longer one is that row's problem.
	RecordBytes int
	// Columns bounds the cells of a record.
	Columns int
	// WindowBytes is how much of a file is read at a time.
	WindowBytes int
}

// orDefaults returns the limits with every zero filled in.
func (l Limits) orDefaults() Limits {
	if l.RecordBytes <= 0 {
		l.RecordBytes = DefaultRecordBytes
	}
	if l.Columns <= 0 {
		l.Columns = DefaultColumns
	}
	if l.WindowBytes <= 0 {
		l.WindowBytes = DefaultWindowBytes
	}
	return l
}

// The defaults of Limits, and the bytes of a file that Detect looks at.
const (
	DefaultRecordBytes = 1 << 20
	DefaultColumns     = 16384
	DefaultWindowBytes = 256 << 10
	SniffBytes         = 64 << 10
)

// Decoder reads records one after another.
type Decoder interface {
	// Next reads the next record into rec. It returns io.EOF after the last one.
	// A record that cannot be read is no error: rec.Problem says what is wrong
	// and the next call goes on behind it. Any other error is the file's
	// (it cannot be read at all, now or ever).
	Next(rec *Record) error
	// Position is the offset, number and line at which the next record begins.
	Position() (offset, number, line int64)
}

// ErrUnknownFormat says that no format fits the file.
var ErrUnknownFormat = errors.New("unknown format")

// Source is a stored file: random access and its size.
type Source interface {
	io.ReaderAt
	Size() int64
}
