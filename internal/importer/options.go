package importer

import (
	"math"

	"tallyman/internal/catalog"
	"tallyman/internal/source"
)

// with fills in what the source says where the options say nothing.
func (o Options) with(def *source.Definition) Options {
	if o.Missing == "" {
		o.Missing = def.Missing
	}
	own, theirs := &o.Rails, def.Rails
	if own.ChangedPercent == nil {
		own.ChangedPercent = theirs.ChangedPercent
	}
	if own.PriceMovePercent == nil {
		own.PriceMovePercent = theirs.PriceMovePercent
	}
	if own.ClearedOrDeleted == nil {
		own.ClearedOrDeleted = theirs.ClearedOrDeleted
	}
	if own.RowsDownPercent == nil {
		own.RowsDownPercent = theirs.RowsDownPercent
	}
	return o
}

// What becomes of items that a full feed no longer names.
const (
	missingLeave      = "leave"
	missingDeactivate = "deactivate"
	missingDelete     = "delete"
)

func removesMissing(missing string) bool {
	return missing == missingDeactivate || missing == missingDelete
}

// maxFeed bounds a feed's name in bytes.
const maxFeed = 100

// checkOptions refuses what no file can make right.
func checkOptions(o *Options) error {
	wrong := make(map[string][]string)
	switch o.Policy {
	case PolicySkip, PolicyAll:
		if o.StopAfter != 0 {
			wrong["stop_after"] = append(wrong["stop_after"], "A number of failed rows goes with the policy stop alone.")
		}
	case PolicyStop:
		if o.StopAfter < 1 {
			wrong["stop_after"] = append(wrong["stop_after"], "Give the number of failed rows at which the import stops, 1 or more.")
		}
	default:
		wrong["policy"] = append(wrong["policy"], "The policy is skip, stop or all_or_nothing.")
	}
	switch o.Missing {
	case "", missingLeave, missingDeactivate, missingDelete:
	default:
		wrong["missing"] = append(wrong["missing"], "Missing items are left (leave), deactivated (deactivate) or deleted (delete).")
	}
	for name, v := range map[string]*float64{"max_changed_percent": o.Rails.ChangedPercent,
		"max_price_move_percent": o.Rails.PriceMovePercent, "max_rows_down_percent": o.Rails.RowsDownPercent} {
		if v != nil && (!(*v >= 0) || math.IsInf(*v, 1)) {
			wrong[name] = append(wrong[name], "Give a number of per cent, 0 or more.")
		}
	}
	if v := o.Rails.ClearedOrDeleted; v != nil && *v < 0 {
		wrong["max_cleared_or_deleted"] = append(wrong["max_cleared_or_deleted"], "Give a number, 0 or more.")
	}
	if len(o.Feed) > maxFeed {
		wrong["feed"] = append(wrong["feed"], "The name of a feed has at most 100 bytes.")
	}
	if len(wrong) == 0 {
		return nil
	}
	return &catalog.Fault{Kind: catalog.KindInvalid, Code: "validation_error", Message: "The options are not valid.", Fields: wrong}
}
