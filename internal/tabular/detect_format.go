package tabular

import (
	"bytes"
	"strings"

	"tallyman/internal/catalog"
)

// detectFormat sets the layout's format, or refuses a file that is none that
// can be imported.
func detectFormat(h sniffed, layout *Layout) error {
	if what, hint := binaryKind(h.bytes); what != "" {
		return unknownFormat("The file is "+what+", not a table of products.", hint)
	}
	switch text := textStart(h.bytes); {
	case bytes.HasPrefix(h.bytes, []byte("PK\x03\x04")):
		return detectZip(h, layout)
	case isMarkup(text):
		return unknownFormat("The file is a web page or XML, not a table of products.", hintSaveAsCSV)
	case isJSON(text, h.name):
		layout.Format = JSON
		layout.because("The file is JSON, because it begins with %q.", text[:1])
	case looksBinary(h.bytes):
		return unknownFormat("The file is not text.", hintSaveAsCSV)
	default:
		layout.Format = CSV
		layout.because("The file is delimited text, because it is text and neither JSON nor XML.")
	}
	return nil
}

const (
	hintSaveAsCSV = "Save it as .xlsx or CSV and upload that."
	hintUnpack    = "Unpack it and upload the file inside."
)

func unknownFormat(message, hint string) *catalog.Fault {
	return &catalog.Fault{Kind: catalog.KindRefused, Code: faultUnknownFormat, Message: message, Hint: hint, Err: ErrUnknownFormat}
}

// magics are the beginnings of files that people upload by mistake.
var magics = []struct{ magic, what, hint string }{
	{"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel workbook (.xls) or one with a password", "Open it, take the password off, and save it as .xlsx or CSV."},
	{"\x09\x08\x10\x00\x00\x06\x05\x00", "an old Excel workbook (.xls)", hintSaveAsCSV},
	{"\x1f\x8b", "compressed with gzip", hintUnpack},
	{"BZh", "compressed with bzip2", hintUnpack},
	{"\xfd7zXZ\x00", "compressed with xz", hintUnpack},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", hintUnpack},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", hintUnpack},
	{"Rar!\x1a\x07", "a RAR archive", hintUnpack},
	{"PK\x05\x06", "an empty ZIP archive", hintSaveAsCSV},
	{"%PDF-", "a PDF document", hintSaveAsCSV},
	{"{\\rtf", "a text document (RTF)", hintSaveAsCSV},
	{"\x89PNG\r\n\x1a\n", "an image (PNG)", hintSaveAsCSV},
	{"\xff\xd8\xff", "an image (JPEG)", hintSaveAsCSV},
	{"GIF87a", "an image (GIF)", hintSaveAsCSV},
	{"GIF89a", "an image (GIF)", hintSaveAsCSV},
	{"SQLite format 3\x00", "a database (SQLite)", hintSaveAsCSV},
	{"PAR1", "a Parquet file", hintSaveAsCSV},
	{"\x7fELF", "a program", hintSaveAsCSV},
}

func binaryKind(head []byte) (what, hint string) {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.what, m.hint
		}
	}
	if len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP" {
		return "an image (WebP)", hintSaveAsCSV
	}
	return "", ""
}

// detectZip tells a workbook from other ZIP files by the names of its parts.
func detectZip(h sniffed, layout *Layout) error {
	has := func(name string) bool { return bytes.Contains(h.bytes, []byte(name)) }
	switch {
	case has("mimetypeapplication/vnd.oasis.opendocument"):
		return unknownFormat("The file is an OpenDocument file.", hintSaveAsCSV)
	case has("word/") || has("ppt/"):
		return unknownFormat("The file is a text document or a presentation.", hintSaveAsCSV)
	case has("xl/workbook.bin"):
		return unknownFormat("The file is a binary Excel workbook (.xlsb).", hintSaveAsCSV)
	case has("xl/") || has("[Content_Types].xml") || has("_rels/.rels") || hasSuffix(h.name, ".xlsx", ".xlsm"):
		layout.Format = XLSX
		layout.because("The file is an Excel workbook, by the names of its parts.")
		return nil
	}
	return unknownFormat("The file is a ZIP archive.", hintUnpack)
}

// textStart is the head without a byte-order mark and the blanks in front.
func textStart(head []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bomUTF8)), " \t\r\n")
}

func isMarkup(text []byte) bool {
	start := strings.ToLower(string(text[:min(len(text), 16)]))
	for _, tag := range []string{"<?xml", "<!doctype", "<html", "<head", "<table", "<rss", "<feed"} {
		if strings.HasPrefix(start, tag) {
			return true
		}
	}
	return false
}

// isJSON reports whether text begins as an object or an array of values does. A
// delimited file may begin with a bracket too, so what follows counts.
func isJSON(text []byte, name string) bool {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	switch {
	case len(rest) == 0 || hasSuffix(name, ".json", ".jsonl", ".ndjson"):
		return true
	case text[0] == '{':
		return rest[0] == '"' || rest[0] == '}'
	}
	return rest[0] == '{' || rest[0] == '[' || rest[0] == ']'
}

// looksBinary reports whether too many of the bytes are ones that no text has.
// UTF-16 has many zeros and is text.
func looksBinary(head []byte) bool {
	if utf16Order(head) != "" {
		return false
	}
	controls := 0
	for _, c := range head {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v' && c != 0x1A && c != 0x1B {
			controls++
		}
	}
	return controls > 1+len(head)/50
}

func hasSuffix(name string, suffixes ...string) bool {
	name = strings.ToLower(name)
	for _, s := range suffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}
