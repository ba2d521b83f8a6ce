package importer

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// A row key names an import and one of its rows, with a check at its end by which
// a key that was damaged, or dragged down a column, is noticed:
//
//	imp_01K9ZJ2V8Q3X5R7T9W1Y3B5D7F:57:3fa2

func rowKey(importID string, row int64) string {
	key := importID + ":" + strconv.FormatInt(row, 10)
	return key + ":" + rowKeyCheck(key)
}

func rowKeyCheck(key string) string {
	return fmt.Sprintf("%04x", crc32.ChecksumIEEE([]byte(key))>>16)
}

// parseRowKey takes a row key apart; ok is false for a text that is none.
func parseRowKey(text string) (importID string, row int64, ok bool) {
	text = strings.TrimSpace(text)
	at := strings.LastIndexByte(text, ':')
	if at < 0 || rowKeyCheck(text[:at]) != strings.ToLower(text[at+1:]) {
		return "", 0, false
	}
	importID, number, _ := strings.Cut(text[:at], ":")
	row, err := strconv.ParseInt(number, 10, 64)
	return importID, row, err == nil && row > 0 && importID != ""
}
