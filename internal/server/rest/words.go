package rest

import (
	"cmp"

	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// Status words of an import (seed document of the REST door).
const (
	statusPending             = "pending"
	statusProcessing          = "processing"
	statusCompleted           = "completed"
	statusCompletedWithErrors = "completed_with_errors"
	statusFailed              = "failed"
)

// statusOf is the door's word for where an import stands (contract sources.md
// 1.4). "failed" means aborted here: rows that failed make an import
// "completed_with_errors". An import whose plan is there is pending: nothing of it
// is written, and nothing will be before it is asked for.
func statusOf(imp *store.Import) string {
	switch imp.State {
	case store.Received, store.Slicing, store.Planned:
		return statusPending
	case store.Planning, store.Running, store.Pausing, store.Paused, store.Terminating, store.RollingBack:
		return statusProcessing
	case store.Done:
		if imp.Tally.Failed > 0 {
			return statusCompletedWithErrors
		}
		return statusCompleted
	}
	return statusFailed
}

// statesOf lists the states that a status word may stand for.
var statesOf = map[string][]store.State{
	statusPending:             {store.Received, store.Slicing, store.Planned},
	statusProcessing:          {store.Planning, store.Running, store.Pausing, store.Paused, store.Terminating, store.RollingBack},
	statusCompleted:           {store.Done},
	statusCompletedWithErrors: {store.Done},
	statusFailed:              {store.Terminated, store.Stopped, store.RolledBack, store.Refused, store.FailedState},
}

// These say why an import failed that carries no code of its own.
const (
	codeTerminated = "import_terminated"
	codeStopped    = "import_stopped"
	codeRolledBack = "import_rolled_back"
	codeFailed     = "import_failed"
)

// endings say why an import ended in a state, where it does not say so itself.
var endings = map[store.State]struct{ code, message string }{
	store.Terminated:  {codeTerminated, "The import was terminated; the rows that were done stay done."},
	store.Stopped:     {codeStopped, "Too many rows failed, so the import was stopped; the rows that were done stay done."},
	store.RolledBack:  {codeRolledBack, "Not every row could be done, so nothing of the import stays."},
	store.Refused:     {codeFailed, "The import was aborted."},
	store.FailedState: {codeFailed, "The import was aborted."},
}

// faultOf says why an import failed, in the door's words; "" when it did not.
func faultOf(imp *store.Import) (code, message string) {
	if statusOf(imp) != statusFailed {
		return "", ""
	}
	ending := endings[imp.State]
	if imp.State == store.Terminated {
		return ending.code, cmp.Or(imp.FaultMessage, ending.message)
	}
	return cmp.Or(imp.FaultCode, ending.code), cmp.Or(imp.FaultMessage, ending.message)
}

// policyWords are the door's words for what failed rows do to the others.
var policyWords = map[importer.Policy]string{
	importer.PolicySkip: "skip",
	importer.PolicyStop: "stop",
	importer.PolicyAll:  "all_or_nothing",
}

// wordUnprocessed is the door's word for the outcome of a row that has none.
const wordUnprocessed = "unprocessed"

// outcomeWord is the door's word for how a row ended.
func outcomeWord(o catalog.Outcome) string {
	if o == catalog.Pending {
		return wordUnprocessed
	}
	return o.String()
}

// outcomeOf returns the outcome that a word stands for, and whether there is one.
func outcomeOf(word string) (catalog.Outcome, bool) {
	if word == wordUnprocessed {
		return catalog.Pending, true
	}
	return catalog.ParseOutcome(word)
}

// Words of row errors that differ from catalog codes (contract sources.md
// section 8, the column of this door).
const (
	wordDuplicateSKU  = "duplicate_sku"
	wordDuplicateEAN  = "duplicate_ean"
	wordDuplicateItem = "duplicate_item"
	wordInFile        = "duplicate_in_file"
	wordConflict      = "conflict"
)

// rowWords gives each catalog code its word in this door. Warnings keep their
// codes: the contract lists them by those.
var rowWords = map[catalog.Code]string{
	catalog.CodeMissingIdentifier:  codeValidation,
	catalog.CodeMissingSKU:         codeValidation,
	catalog.CodeMissingASIN:        codeValidation,
	catalog.CodeInvalidASIN:        codeValidation,
	catalog.CodeInvalidSKU:         codeValidation,
	catalog.CodeInvalidGTIN:        codeValidation,
	catalog.CodeGTINCheckDigit:     codeValidation,
	catalog.CodeInvalidID:          codeValidation,
	catalog.CodeExistingSKU:        wordDuplicateSKU,
	catalog.CodeExistingGTIN:       wordDuplicateEAN,
	catalog.CodeExistingItem:       wordDuplicateItem,
	catalog.CodeItemNotFound:       codeNotFound,
	catalog.CodeAmbiguousMatch:     "ambiguous_match",
	catalog.CodeSKUTaken:           wordDuplicateSKU,
	catalog.CodeGTINTaken:          wordDuplicateEAN,
	catalog.CodeKeyTaken:           wordDuplicateItem,
	catalog.CodeDuplicateSKUInFile: wordDuplicateSKU,
	catalog.CodeDuplicateKeyInFile: wordInFile,
	catalog.CodeSameItemInFile:     wordInFile,

	catalog.CodeMissingRequired:    codeValidation,
	catalog.CodeInvalidInteger:     codeValidation,
	catalog.CodeInvalidDecimal:     codeValidation,
	catalog.CodeInvalidPrice:       codeValidation,
	catalog.CodePriceAmbiguous:     codeValidation,
	catalog.CodePricePrecision:     codeValidation,
	catalog.CodePriceNegative:      codeValidation,
	catalog.CodePriceZero:          "price_zero",
	catalog.CodeUnknownCurrency:    codeValidation,
	catalog.CodeCurrencyMismatch:   codeValidation,
	catalog.CodeMissingCurrency:    codeValidation,
	catalog.CodeNumberAmbiguous:    codeValidation,
	catalog.CodeNegativeNumber:     codeValidation,
	catalog.CodeInvalidBoolean:     codeValidation,
	catalog.CodeInvalidDate:        codeValidation,
	catalog.CodeInvalidEnum:        codeValidation,
	catalog.CodeInvalidURL:         codeValidation,
	catalog.CodeInvalidText:        codeValidation,
	catalog.CodeTooLong:            codeValidation,
	catalog.CodeTooMany:            codeValidation,
	catalog.CodeUnknownReference:   codeValidation,
	catalog.CodeUnknownProperty:    codeValidation,
	catalog.CodeReadOnlyProperty:   codeValidation,
	catalog.CodeNotACollection:     codeValidation,
	catalog.CodeExcelDamagedNumber: codeValidation,
	catalog.CodeImageCopyFailed:    "image_copy_failed",
	catalog.CodeUnsupportedAction:  codeValidation,
	catalog.CodeInvalidMode:        codeValidation,
	catalog.CodeDependsOnFailedRow: codeValidation,

	catalog.CodeVersionConflict: wordConflict,
	catalog.CodeMovedSincePlan:  wordConflict,
	catalog.CodeChangedSince:    wordConflict,
	catalog.CodeDeletedSince:    wordConflict,

	catalog.CodeColumnCount:    codeValidation,
	catalog.CodeUnclosedQuote:  codeValidation,
	catalog.CodeRecordTooLarge: codeValidation,
	catalog.CodeCellTooLarge:   codeValidation,
	catalog.CodeBadEncoding:    codeValidation,
	catalog.CodeInvalidRecord:  codeValidation,

	catalog.CodeGTINRestrictedPrefix:    "gtin_restricted_prefix",
	catalog.CodeGTINLeadingZeroRestored: "gtin_leading_zero_restored",
	catalog.CodeGTINAmbiguousLength:     "gtin_ambiguous_length",
	catalog.CodeTextGuardRemoved:        "text_guard_removed",
	catalog.CodeSeparatorsRemoved:       "separators_removed",
	catalog.CodeEncodingGuessed:         "encoding_guessed",
	catalog.CodeSKUCaseTwin:             "sku_case_twin",
}

// rowWord is the door's word for a problem of a row.
func rowWord(c catalog.Code) string {
	if w, ok := rowWords[c]; ok {
		return w
	}
	return codeValidation
}
