package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/source"
	"tallyman/internal/tabular"
)

// partFile is the part of the form that holds the file.
const partFile = "file"

// field is one field of the form: how it is described and what it sets. set's
// errors are sentences without a subject: "must be …".
type field struct {
	name   string
	schema *huma.Schema
	set    func(value string, opt *importer.Options) error
}

// formFields returns all fields beside the file, mode before update_existing,
// which looks at it.
func formFields() []field {
	return []field{
		{"format", described("csv, xlsx or json; detected if omitted.", "csv", "xlsx", "json"),
			oneOf(func(o *importer.Options) *string { return &o.Format }, "csv", "xlsx", "json")},
		{"mapping", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString},
			Description: "Maps file columns to product fields: {\"Titre\": \"title\"}. Columns it does not name are left out. Without it headings are recognised by themselves.",
			Examples:    []any{map[string]string{"EAN": "ean", "Titre": "title", "Prix": "price"}}}, asMapping},
		{"source", described("How the file is to be read: the id of a source; recognised by the header if omitted."),
			text(func(o *importer.Options) *string { return &o.Source })},
		{"mode", described("What rows may do: create only, update only, or both (upsert, the default).", "create", "update", "upsert"), asMode},
		{"update_existing", &huma.Schema{Type: huma.TypeBoolean, Default: true,
			Description: "If true, existing products (matched by EAN) are updated; if false, a row for one is an error."}, asUpdateFlag},
		{"delimiter", described("The character between cells: comma, semicolon, tab or pipe, by name or itself; detected if omitted."), asDelimiter},
		{"encoding", described("The text encoding; detected if omitted.", tabular.UTF8, tabular.UTF16LE, tabular.UTF16BE, tabular.Windows1252), asEncoding},
		{"currency", described("ISO 4217 code for prices that name no currency."), asCurrency},
		{"decimal", described("How numbers are written: auto, point or comma.", "auto", "point", "comma"),
			oneOf(func(o *importer.Options) *string { return &o.Decimal }, "auto", "point", "comma")},
		{"blank", described("What a blank cell asks for: keep the value, clear it, or set its default.", "keep", "clear", "default"),
			oneOf(func(o *importer.Options) *string { return &o.Blank }, "keep", "clear", "default")},
		{"gtin_check", described("What a wrong EAN check digit is: strict (an error on a new product), warn or off.", "strict", "warn", "off"),
			oneOf(func(o *importer.Options) *string { return &o.GTINCheck }, "strict", "warn", "off")},
		{"plan", &huma.Schema{Type: huma.TypeBoolean, Default: false,
			Description: "If true, nothing is written: the import stops once its plan is there, which apply then lets go."}, asPlan},
		{"policy", described("What failed rows do to the others: skip (the default) leaves them out, stop ends the import at the first one or after stop_after, all_or_nothing applies nothing at all.",
			"skip", "stop", "all_or_nothing"), asPolicy},
		{"stop_after", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0),
			Description: "The number of failed rows at which the import stops; makes the policy stop."}, asStopAfter},
		{"max_changed_percent", limit("Rows that update or delete, in per cent of all rows."),
			asPercent(func(o *importer.Options) **float64 { return &o.Rails.ChangedPercent })},
		{"max_price_move_percent", limit("How far the price of any one product moves, in per cent."),
			asPercent(func(o *importer.Options) **float64 { return &o.Rails.PriceMovePercent })},
		{"max_cleared_or_deleted", &huma.Schema{Type: huma.TypeInteger, Minimum: new(0.0),
			Description: "Values cleared and products deleted, together." + limitText}, asMaxCleared},
		{"max_rows_down_percent", limit("How many rows fewer than this feed's last import had, in per cent of those."),
			asPercent(func(o *importer.Options) **float64 { return &o.Rails.RowsDownPercent })},
		{"feed", described("The feed that the import belongs to; its source if omitted. Products that its imports create are that feed's."), asFeed},
		{"missing", described("What happens to products that the feed owns and the file does not name.", "leave", "deactivate", "delete"),
			oneOf(func(o *importer.Options) *string { return &o.Missing }, "leave", "deactivate", "delete")},
	}
}

// limitText says what a limit does.
const limitText = " Beyond it the import stops before its first write and goes on only when it is confirmed."

func limit(text string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Minimum: new(0.0), Description: text + limitText}
}

func described(text string, words ...string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: text}
	for _, w := range words {
		s.Enum = append(s.Enum, w)
	}
	return s
}

// options turns the form's fields into the import's options; every wrong field
// is named at once.
func options(fields []field, values map[string]string) (importer.Options, error) {
	var opt importer.Options
	wrong := make(map[string][]string)
	for _, f := range fields {
		value, given := values[f.name]
		if !given || strings.TrimSpace(value) == "" && f.name != "delimiter" {
			continue
		}
		if err := f.set(value, &opt); err != nil {
			wrong[f.name] = []string{f.name + " " + err.Error() + "."}
		}
	}
	if !stopAfterFits(&opt, strings.TrimSpace(values["policy"]) != "") && wrong["policy"] == nil {
		wrong["stop_after"] = []string{"stop_after goes with the policy stop alone."}
	}
	if len(wrong) > 0 {
		return opt, &catalog.Fault{Kind: catalog.KindInvalid, Code: codeValidation, Message: "The request is not valid.", Fields: wrong}
	}
	return opt, nil
}

func text(to func(*importer.Options) *string) func(string, *importer.Options) error {
	return func(value string, opt *importer.Options) error {
		*to(opt) = strings.TrimSpace(value)
		return nil
	}
}

// oneOf takes one of the given words, in any case.
func oneOf(to func(*importer.Options) *string, words ...string) func(string, *importer.Options) error {
	return func(value string, opt *importer.Options) error {
		value = strings.ToLower(strings.TrimSpace(value))
		if !slices.Contains(words, value) {
			return fmt.Errorf("must be one of %s", strings.Join(words, ", "))
		}
		*to(opt) = value
		return nil
	}
}

func asMode(value string, opt *importer.Options) error {
	mode, ok := catalog.ParseMode(strings.ToLower(strings.TrimSpace(value)))
	if !ok {
		return errors.New("must be create, update or upsert")
	}
	opt.Mode, opt.HasMode = mode, true
	return nil
}

// asUpdateFlag reads update_existing together with mode.
func asUpdateFlag(value string, opt *importer.Options) error {
	update, ok := parseBool(value)
	if !ok {
		return errors.New("must be true or false")
	}
	if opt.HasMode {
		if update == (opt.Mode == catalog.Create) {
			return errors.New("contradicts mode; give one of the two")
		}
		return nil
	}
	opt.HasMode, opt.Mode = true, catalog.Upsert
	if !update {
		opt.Mode = catalog.Create
	}
	return nil
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}

var delimiters = map[string]string{
	",": ",", "comma": ",",
	";": ";", "semicolon": ";",
	"\t": "\t", `\t`: "\t", "tab": "\t",
	"|": "|", "pipe": "|",
}

// DelimiterOf returns the character that a name, or the character itself, stands
// for, and whether there is one. The command line takes the same names.
func DelimiterOf(name string) (delimiter string, ok bool) {
	delimiter, ok = delimiters[strings.ToLower(name)]
	return delimiter, ok
}

func asDelimiter(value string, opt *importer.Options) error {
	if value == "" {
		return nil
	}
	d, ok := DelimiterOf(value)
	if !ok {
		return errors.New("must be comma, semicolon, tab or pipe")
	}
	opt.Delimiter = d
	return nil
}

// encodings are the names that clients use. Latin-1 is read as windows-1252, as
// browsers do (WHATWG Encoding Standard): the two differ in control characters
// alone.
var encodings = map[string]string{
	"utf-8": tabular.UTF8, "utf8": tabular.UTF8,
	"utf-16le": tabular.UTF16LE, "utf16le": tabular.UTF16LE,
	"utf-16be": tabular.UTF16BE, "utf16be": tabular.UTF16BE,
	"windows-1252": tabular.Windows1252, "cp1252": tabular.Windows1252,
	"iso-8859-1": tabular.Windows1252, "latin1": tabular.Windows1252,
}

// EncodingOf returns the encoding that a name stands for, and whether there is
// one. The command line takes the same names.
func EncodingOf(name string) (encoding string, ok bool) {
	encoding, ok = encodings[strings.ToLower(strings.TrimSpace(name))]
	return encoding, ok
}

func asEncoding(value string, opt *importer.Options) error {
	e, ok := EncodingOf(value)
	if !ok {
		return errors.New("must be utf-8, utf-16le, utf-16be or windows-1252")
	}
	opt.Encoding = e
	return nil
}

func asCurrency(value string, opt *importer.Options) error {
	value = strings.ToUpper(strings.TrimSpace(value))
	if len(value) != 3 || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return errors.New("must be an ISO 4217 code such as EUR")
	}
	opt.Currency = value
	return nil
}

// asMapping reads the JSON object {column: field}. A column mapped to null or
// nothing is left out, as are those not named; an empty object maps nothing and
// is as good as none.
func asMapping(value string, opt *importer.Options) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(value)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("must be a JSON object of file columns and product fields")
	}
	seen := make(map[string]bool)
	for dec.More() {
		key, err := dec.Token()
		column, ok := key.(string)
		if err != nil || !ok {
			return errors.New("is not valid JSON")
		}
		to, err := dec.Token()
		if err != nil {
			return errors.New("is not valid JSON")
		}
		name, ok := to.(string)
		if !ok && to != nil {
			return fmt.Errorf("must give column %q a product field as text", catalog.Shorten(column))
		}
		if seen[column] {
			return fmt.Errorf("names column %q twice", catalog.Shorten(column))
		}
		seen[column] = true
		if name = strings.TrimSpace(name); name != "" {
			opt.Mapping = append(opt.Mapping, source.Mapping{Column: column, Field: name})
		}
	}
	_, err := dec.Token()
	if _, end := dec.Token(); err != nil || !errors.Is(end, io.EOF) {
		return errors.New("is not valid JSON")
	}
	opt.MappingOnly = len(seen) > 0
	return nil
}
