package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/ledger"
	"tallyman/internal/store"
)

// plansFirst reports whether a round's rows are planned before they are applied:
// because it was asked for, or because what was asked can only be known so.
func plansFirst(imp *store.Import) bool {
	opt := OptionsOf(imp)
	return findingsOf(imp).Wanted || opt.Rails.Any() || opt.Policy == PolicyAll || removesMissing(opt.Missing)
}

// planReport is what is noted of the round at work: what FindingsOf shows, and
// what the round was asked for.
type planReport struct {
	Findings
	// Wanted says that the plan was asked for: it waits to be applied.
	Wanted bool `json:"wanted,omitempty"`
	// Retry says which rows the round runs, after the first round.
	Retry *RetryOptions `json:"retry,omitempty"`
	// Failed is how many rows had failed before a round that an undo begins by
	// itself.
	Failed int64 `json:"failed,omitempty"`
	// Before is how the import had ended before the round.
	Before *ended `json:"before,omitempty"`
}

// ended is how an import ended.
type ended struct {
	State        store.State `json:"state"`
	At           *time.Time  `json:"at"`
	FaultCode    string      `json:"fault_code,omitempty"`
	FaultMessage string      `json:"fault_message,omitempty"`
}

func findingsOf(imp *store.Import) (r planReport) {
	_ = json.Unmarshal(imp.Findings, &r) // written by this program, or empty
	return r
}

func (r planReport) save(imp *store.Import) error {
	var err error
	if imp.Findings, err = json.Marshal(r); err != nil {
		return fmt.Errorf("encode findings: %w", err)
	}
	return nil
}

// finishPlan names the plan by its fingerprint, looks at it, and lets the import
// rest or go on.
func (s *Service) finishPlan(ctx context.Context, st *started) error {
	if err := s.settleCollisions(ctx, st); err != nil {
		return err
	}
	now, err := s.cfg.Store.Import(ctx, st.imp.WS, st.imp.ID)
	if err != nil {
		return err
	}
	headers, err := s.headers(ctx, &now, now.Pass)
	if err != nil {
		return err
	}
	batches, err := s.cfg.Store.Batches(ctx, now.WS, now.No, now.Pass)
	if err != nil {
		return fmt.Errorf("list batches: %w", err)
	}
	if planned := now.Plan.Rows(); planned != rowsOf(batches) {
		return fmt.Errorf("the plan is about %d rows and accounts for %d", rowsOf(batches), planned)
	}
	report := findingsOf(&now)
	report.Stale = ""
	if report.Tripped, err = s.tripped(ctx, &now, headers); err != nil {
		return fmt.Errorf("look at the plan: %w", err)
	}
	report.Confirm = len(report.Tripped) > 0
	return s.endStep(ctx, st, func(tx store.Tx, imp *store.Import) error {
		imp.Fingerprint = fingerprint(&now, headers)
		if err := report.save(imp); err != nil {
			return err
		}
		switch {
		case imp.State != store.Planning:
			// A pause or a termination that has been asked for comes first.
			return tx.UpdateImport(ctx, imp)
		case report.Wanted || report.Confirm:
			imp.State, imp.UpdatedAt = store.Planned, s.now()
			return tx.UpdateImport(ctx, imp)
		case OptionsOf(imp).Policy == PolicyAll && now.Plan.Failed > 0:
			imp.FaultCode, imp.FaultMessage = "rows_failed", refusedWhole(&now.Plan)
			return s.rollBack(ctx, tx, imp, &now.Tally)
		}
		return s.applyPlan(ctx, tx, imp, batches)
	})
}

func refusedWhole(plan *catalog.Tally) string {
	return fmt.Sprintf("%d of %d rows fail, and the import is all or nothing: nothing was applied. Correct the rows and retry.", plan.Failed, plan.Rows())
}

// applyPlan sets the pass going that writes what the plan showed.
func (s *Service) applyPlan(ctx context.Context, tx store.Tx, imp *store.Import, planned []store.Batch) error {
	now := s.now()
	imp.Pass, imp.State, imp.UpdatedAt = ledger.ApplyOf(imp.Round), store.Running, now
	if err := tx.UpdateImport(ctx, imp); err != nil {
		return err
	}
	if err := tx.InsertBatches(ctx, waiting(planned, imp.No, imp.Pass, 0, now)); err != nil {
		return fmt.Errorf("add batches: %w", err)
	}
	return s.kick(ctx, tx, imp)
}

// fingerprint names a plan by everything that it is: the file, how it is read,
// and what each of its rows does to which values. However the rows were cut into
// chunks, the same plan has the same name.
func fingerprint(imp *store.Import, pages []ledger.Page) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%d\n%s\n%d\n%s\n%+v\n", imp.SHA256, imp.Definition, imp.Mode, imp.Options, imp.Round, imp.UndoOf, imp.Plan)
	h.Write(sumDigests(pages))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Apply implements API.
func (s *Service) Apply(ctx context.Context, ws store.Workspace, id string, opt ApplyOptions) (store.Import, error) {
	before, err := s.Import(ctx, ws, id)
	if err != nil {
		return before, err
	}
	batches, err := s.cfg.Store.Batches(ctx, ws.WS, before.No, ledger.PlanOf(before.Round))
	if err != nil {
		return before, fmt.Errorf("list batches: %w", err)
	}
	err = s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		imp, err := tx.LockImport(ctx, before.No)
		if err != nil {
			return err
		}
		if err := mayApply(&imp, &before, opt); err != nil {
			return err
		}
		if err := s.note(ctx, tx, audit.ImportApply, imp.ID, planDetail(&before, opt)); err != nil {
			return err
		}
		return s.applyPlan(ctx, tx, &imp, batches)
	})
	if err != nil {
		return store.Import{}, asFault(err, id)
	}
	return s.cfg.Store.Import(ctx, ws.WS, id)
}

// mayApply says why a plan cannot be applied; before is the import with its
// plan's counts.
func mayApply(imp, before *store.Import, opt ApplyOptions) error {
	report := findingsOf(imp)
	switch {
	case imp.State != store.Planned:
		return cannot("be applied", imp)
	case imp.Fingerprint == "" && report.Stale != "":
		return catalog.Faultf(catalog.KindConflict, "plan_changed", "%s", report.Stale)
	case imp.Fingerprint == "" || opt.Fingerprint != imp.Fingerprint || imp.Version != before.Version:
		return catalog.Faultf(catalog.KindConflict, "plan_changed",
			"This is not the plan that there is now (its fingerprint is %q); look at that one and apply it.", imp.Fingerprint)
	case OptionsOf(imp).Policy == PolicyAll && before.Plan.Failed > 0:
		return &catalog.Fault{Kind: catalog.KindConflict, Code: "rows_failed", Message: refusedWhole(&before.Plan)}
	case report.Confirm && !opt.Confirm:
		f := catalog.Faultf(catalog.KindConflict, "confirmation_needed", "The plan does more than the import may without being asked.")
		for _, t := range report.Tripped {
			f.Message += " " + t.Message
		}
		f.Hint = "Look at the changes, and apply with confirm to go on."
		return f
	}
	return nil
}

// Replan implements API.
func (s *Service) Replan(ctx context.Context, ws store.Workspace, id string) (store.Import, error) {
	err := s.transact(ctx, ws.WS, true, func(tx store.Tx) error {
		imp, err := tx.LockImportID(ctx, id)
		if err != nil {
			return err
		}
		if imp.State != store.Planned {
			return cannot("be planned again", &imp)
		}
		if err := s.note(ctx, tx, audit.ImportReplan, imp.ID, nil); err != nil {
			return err
		}
		report := findingsOf(&imp)
		report.Wanted, report.Findings = true, Findings{}
		return s.startRound(ctx, tx, &imp, report)
	})
	if err != nil {
		return store.Import{}, asFault(err, id)
	}
	return s.cfg.Store.Import(ctx, ws.WS, id)
}

// startRound sets a sliced import going once more, beginning with a slice step.
func (s *Service) startRound(ctx context.Context, tx store.Tx, imp *store.Import, report planReport) error {
	imp.Fingerprint = ""
	if err := report.save(imp); err != nil {
		return err
	}
	imp.State, imp.Pass, imp.CompletedAt, imp.UpdatedAt = store.Slicing, ledger.PassSlice, nil, s.now()
	imp.FaultCode, imp.FaultMessage = "", ""
	if err := tx.UpdateImport(ctx, imp); err != nil {
		return err
	}
	return s.addStep(ctx, tx, imp, ledger.PassSlice, store.Batch{})
}

// planReader gives what a plan showed of the rows of one batch, in the order in
// which the batch's rows come.
type planReader struct {
	pages   []ledger.Page
	load    ledger.Load
	decoder *ledger.Decoder
	rows    map[int64]catalog.Planned
	// amended are rows whose entry on an earlier page no longer counts.
	amended map[int64]catalog.Planned
}

// newPlanReader opens the plan of a batch that is to be applied; nil where its
// round has none.
func (s *Service) newPlanReader(ctx context.Context, imp *store.Import, b *store.Batch) (*planReader, error) {
	if b.Pass.Planning() || imp.Fingerprint == "" {
		return nil, nil
	}
	r := &planReader{load: s.loadPage(ctx, imp), decoder: ledger.NewDecoder(),
		rows: make(map[int64]catalog.Planned), amended: make(map[int64]catalog.Planned)}
	f := store.PageFilter{Pass: ledger.PlanOf(imp.Round), Batch: b.No}
	err := s.cfg.Store.Pages(ctx, imp.WS, imp.No, f, func(p ledger.Page) error {
		r.pages = append(r.pages, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list pages of the plan: %w", err)
	}
	for i := len(r.pages) - 1; i >= 0 && amends(&r.pages[i]); i-- {
		if err := r.read(r.pages[i], r.amended); err != nil {
			return nil, err
		}
		r.pages = r.pages[:i]
	}
	return r, nil
}

// planned returns what the plan showed of rows. A nil planReader shows nothing.
func (r *planReader) planned(ctx context.Context, rows []catalog.Row) ([]catalog.Planned, error) {
	if r == nil {
		return nil, nil
	}
	out := make([]catalog.Planned, len(rows))
	for i := range rows {
		p, ok := r.amended[rows[i].Number]
		for !ok {
			if p, ok = r.rows[rows[i].Number]; ok {
				delete(r.rows, rows[i].Number)
				break
			}
			if len(r.pages) == 0 {
				return nil, fmt.Errorf("row %d is not in the plan", rows[i].Number)
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := r.read(r.pages[0], r.rows); err != nil {
				return nil, err
			}
			r.pages = r.pages[1:]
		}
		out[i] = p
	}
	return out, nil
}

// read adds the rows of a page.
func (r *planReader) read(header ledger.Page, rows map[int64]catalog.Planned) error {
	page, err := r.load(header, true)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	entries, err := r.decoder.Entries(page)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	for i := range entries {
		e := &entries[i]
		p := catalog.Planned{Outcome: e.Outcome}
		if e.Outcome == catalog.Failed {
			p.Problems = e.Problems
		}
		rows[e.Row] = p
	}
	images, gone, err := r.decoder.Images(page)
	switch {
	case err != nil:
		return fmt.Errorf("read plan: %w", err)
	case gone:
		return catalog.Faultf(catalog.KindConflict, "plan_expired", "The plan is past its retention; plan again.")
	}
	for i := range images {
		im := &images[i]
		p := rows[im.Row]
		w := catalog.PlannedWrite{ItemID: im.ItemID, Outcome: im.Outcome, Version: im.Version, Changes: im.Changes}
		if im.Outcome == catalog.Created && im.Doc == "" {
			w.ItemID = ""
		}
		p.Writes = append(p.Writes, w)
		rows[im.Row] = p
	}
	return nil
}
