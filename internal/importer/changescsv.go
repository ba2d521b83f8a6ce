package importer

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/tabular/safecsv"
)

// ChangeColumns are the columns of WriteChanges.
var ChangeColumns = [...]string{"row", "outcome", "kind", "id", "sku", "ean", "field", "old", "new", "change_percent"}

// WriteChanges implements API.
func (s *Service) WriteChanges(ctx context.Context, ws store.Workspace, id string, f ChangeFilter, w io.Writer) error {
	out := safecsv.NewWriter(w)
	if err := out.Record(ChangeColumns[:]...); err != nil {
		return err
	}
	err := s.EachChange(ctx, ws, id, f, func(c RowChange) error { return writeChange(out, &c) })
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	return nil
}

// writeChange writes a line for each field, and one for an item of which no
// field is known to change.
func writeChange(out *safecsv.Writer, c *RowChange) error {
	fields := c.Fields
	if len(fields) == 0 {
		fields = []catalog.FieldChange{{}}
	}
	for i := range fields {
		fc := &fields[i]
		err := out.Record(strconv.FormatInt(c.Row, 10), c.Outcome.String(), c.Kind.String(), c.ItemID, c.SKU, c.GTIN,
			fc.Field, tokenText(fc.Old), tokenText(fc.New), percentText(fc))
		if err != nil {
			return fmt.Errorf("write changes: %w", err)
		}
	}
	return nil
}

// tokenText is a token as people read it: texts without quotes, the elements of
// lists with bars between them.
func tokenText(token string) string {
	return strings.Join(catalog.Elements(token), " | ")
}

// percentText is how far a field moved, in per cent with at most two decimals;
// "" where that cannot be said.
func percentText(fc *catalog.FieldChange) string {
	percent, ok := catalog.MovePercent(fc.Old, fc.New)
	if !ok || math.IsInf(percent, 0) {
		return ""
	}
	return strconv.FormatFloat(math.Round(percent*100)/100, 'f', -1, 64)
}
