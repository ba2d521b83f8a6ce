package catalog

// Severity says what a problem does to its row.
type Severity uint8

const (
	// Warning is reported and counted; the row goes on.
	Warning Severity = 1
	// Error refuses the row.
	Error Severity = 2
	// ErrorOnCreate refuses a row that would make a new item and is a warning
	// for one that changes an existing item, because an item may carry a bad
	// value from before (contract sources.md 2.6). Decide resolves it to one of
	// the other two; no page ever holds it.
	ErrorOnCreate Severity = 3
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Code is a problem's stable name. Doors translate codes into their own words;
// a code, once published, keeps its meaning.
type Code string

// Codes of rows. Where contract sources.md section 8 names a code, this is that
// name in lower case; validation_error is split by what is wrong.
const (
	// Identity.
	CodeMissingIdentifier  Code = "missing_identifier"
	CodeMissingSKU         Code = "missing_sku"
	CodeMissingASIN        Code = "missing_asin"
	CodeInvalidASIN        Code = "invalid_asin"
	CodeInvalidSKU         Code = "invalid_sku"
	CodeInvalidGTIN        Code = "invalid_gtin"
	CodeGTINCheckDigit     Code = "gtin_check_digit"
	CodeInvalidID          Code = "invalid_id"
	CodeExistingSKU        Code = "existing_sku"
	CodeExistingGTIN       Code = "existing_gtin"
	CodeExistingItem       Code = "existing_item"
	CodeItemNotFound       Code = "item_not_found"
	CodeAmbiguousMatch     Code = "ambiguous_match"
	CodeSKUTaken           Code = "sku_taken"
	CodeGTINTaken          Code = "gtin_taken"
	CodeKeyTaken           Code = "key_taken"
	CodeDuplicateSKUInFile Code = "duplicate_sku_in_file"
	CodeDuplicateKeyInFile Code = "duplicate_key_in_file"
	CodeSameItemInFile     Code = "same_item_in_file"

	// Values.
	CodeMissingRequired    Code = "missing_required"
	CodeInvalidInteger     Code = "invalid_integer"
	CodeInvalidDecimal     Code = "invalid_decimal"
	CodeInvalidPrice       Code = "invalid_price"
	CodePriceAmbiguous     Code = "price_ambiguous"
	CodePricePrecision     Code = "price_precision"
	CodePriceNegative      Code = "price_negative"
	CodePriceZero          Code = "price_zero"
	CodeUnknownCurrency    Code = "unknown_currency"
	CodeCurrencyMismatch   Code = "currency_mismatch"
	CodeMissingCurrency    Code = "missing_currency"
	CodeNumberAmbiguous    Code = "number_ambiguous"
	CodeNegativeNumber     Code = "negative_number"
	CodeInvalidBoolean     Code = "invalid_boolean"
	CodeInvalidDate        Code = "invalid_date"
	CodeInvalidEnum        Code = "invalid_enum"
	CodeInvalidURL         Code = "invalid_url"
	CodeInvalidText        Code = "invalid_text"
	CodeTooLong            Code = "too_long"
	CodeTooMany            Code = "too_many"
	CodeUnknownReference   Code = "unknown_reference"
	CodeUnknownProperty    Code = "unknown_property"
	CodeReadOnlyProperty   Code = "read_only_property"
	CodeNotACollection     Code = "not_a_collection"
	CodeExcelDamagedNumber Code = "excel_damaged_number"
	CodeImageCopyFailed    Code = "image_copy_failed"
	CodeUnsupportedAction  Code = "unsupported_action"
	CodeInvalidMode        Code = "invalid_mode"
	CodeDependsOnFailedRow Code = "depends_on_failed_row"
	CodeVersionConflict    Code = "version_conflict"

	// Rows that were held, and undone ones.
	CodeMovedSincePlan Code = "moved_since_plan"
	CodeChangedSince   Code = "changed_since"
	CodeDeletedSince   Code = "deleted_since"

	// Records.
	CodeColumnCount    Code = "column_count"
	CodeUnclosedQuote  Code = "unclosed_quote"
	CodeRecordTooLarge Code = "record_too_large"
	CodeCellTooLarge   Code = "cell_too_large"
	CodeBadEncoding    Code = "bad_encoding"
	CodeInvalidRecord  Code = "invalid_record"

	// Repairs, always warnings: the message shows before and after.
	CodeGTINRestrictedPrefix    Code = "gtin_restricted_prefix"
	CodeGTINLeadingZeroRestored Code = "gtin_leading_zero_restored"
	CodeGTINAmbiguousLength     Code = "gtin_ambiguous_length"
	CodeTextGuardRemoved        Code = "text_guard_removed"
	CodeSeparatorsRemoved       Code = "separators_removed"
	CodeEncodingGuessed         Code = "encoding_guessed"
	CodeSKUCaseTwin             Code = "sku_case_twin"
)

// Problem is one thing wrong with one row, worded so that its reader knows
// where it is and what to do.
type Problem struct {
	Code     Code
	Severity Severity
	// Column is the heading of the column as the file has it; empty when the
	// problem is the row's as a whole.
	Column string
	// Value is the offending value, shortened to at most MaxProblemValue bytes.
	Value string
	// Message is one sentence for people: what is wrong and what to do.
	Message string
}

// MaxProblemValue bounds the offending value that a problem quotes, in bytes.
const MaxProblemValue = 200

// HasErrors reports whether any of the problems refuses its row whatever the
// row does.
func HasErrors(ps []Problem) bool {
	for i := range ps {
		if ps[i].Severity == Error {
			return true
		}
	}
	return false
}
