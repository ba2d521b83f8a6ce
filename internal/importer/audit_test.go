package importer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// by is a context of somebody at a door.
var by = store.WithActor(context.Background(), store.Actor{Name: "anna", ID: "usr_1", Door: "web"})

// deed is an entry of the audit log, without what changes from run to run.
type deed struct{ who, action, object, detail string }

// deeds lists what was noted, the oldest first, with names for ids.
func (s *stack) deeds(names ...string) []deed {
	s.t.Helper()
	entries, err := s.db.Audit(context.Background(), s.ws.WS, store.AuditFilter{}, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	known := strings.NewReplacer(names...)
	var all []deed
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		all = append(all, deed{audit.Who(e.Actor), e.Action, known.Replace(e.Object), known.Replace(string(e.Detail))})
	}
	return all
}

func (s *stack) checkDeeds(want []deed, names ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.deeds(names...), cmp.AllowUnexported(deed{})); diff != "" {
		s.t.Errorf("noted (-want +got):\n%s", diff)
	}
}

// beginBy is begin for somebody.
func (s *stack) beginBy(ctx context.Context, name, content string, opt importer.Options) (store.Import, error) {
	s.t.Helper()
	up, err := s.svc.Receive(ctx, s.ws, "web", "usr_1", name, strings.NewReader(content))
	if err != nil {
		return store.Import{}, err
	}
	opt.Door = "web"
	return s.svc.Start(ctx, s.ws, up, opt)
}

func (s *stack) must(_ any, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestWhatSomebodyDoesIsNoted: every act by who did it, once, and what follows from
// it not at all. What changes nothing is not noted.
func TestWhatSomebodyDoesIsNoted(t *testing.T) {
	s := newIdleStack(t, nil)
	const file = "sku,title,price\nA,a,1\nB,b,secret\nC,c,secret\n"
	imp, err := s.beginBy(by, "a.csv", file, importer.Options{Plan: true, Policy: importer.PolicySkip})
	imp = s.drained(imp, err)
	for range 2 {
		s.must(s.svc.Correct(by, s.ws, imp.ID, 3, map[string]string{"price": "17.5"}, "anna"))
	}
	s.must(s.svc.Uncorrect(by, s.ws, imp.ID, 3))
	s.must(s.svc.Uncorrect(by, s.ws, imp.ID, 3)) // there is nothing left to take away
	fix, _, err := s.svc.Fix(by, s.ws, imp.ID, store.Fix{Code: catalog.CodeInvalidPrice, Column: "price", From: "secret", To: "18.5", By: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.svc.Unfix(by, s.ws, imp.ID, fix.No); err != nil {
		t.Fatal(err)
	}
	s.must(s.svc.Replan(by, s.ws, imp.ID))
	imp = s.drain(imp)
	s.must(s.svc.Apply(by, s.ws, imp.ID, importer.ApplyOptions{Fingerprint: imp.Fingerprint}))
	s.must(s.svc.Pause(by, s.ws, imp.ID))
	s.must(s.svc.Pause(by, s.ws, imp.ID)) // it is paused already
	s.must(s.svc.Resume(by, s.ws, imp.ID))
	imp = s.drain(imp)
	s.must(s.svc.Retry(by, s.ws, imp.ID, importer.RetryOptions{Failed: true, Plan: true}))
	s.must(s.svc.Terminate(by, s.ws, imp.ID))
	undo, err := s.svc.Undo(by, s.ws, imp.ID, importer.Options{Door: "web"})
	s.drained(undo, err)

	s.checkDeeds([]deed{
		{"anna", "import.start", "IMP", `{"mode":"upsert","plan":true,"sha256":"SHA","size":44,"source":"SOURCE","source_name":"a.csv"}`},
		{"anna", "import.correct", "IMP", `{"cells":1,"row":3}`},
		{"anna", "import.correct", "IMP", `{"cells":1,"row":3}`},
		{"anna", "import.uncorrect", "IMP", `{"row":3}`},
		{"anna", "import.fix", "IMP", `{"code":"invalid_price","column":"price","fix":1,"rows":2}`},
		{"anna", "import.unfix", "IMP", `{"code":"invalid_price","column":"price","fix":1}`},
		{"anna", "import.replan", "IMP", ""},
		{"anna", "import.apply", "IMP", `{"fingerprint":"PLAN","rows":{"created":1,"failed":2}}`},
		{"anna", "import.pause", "IMP", `{"was":"running"}`},
		{"anna", "import.resume", "IMP", ""},
		{"anna", "import.retry", "IMP", `{"failed":true,"plan":true,"round":1}`},
		{"anna", "import.terminate", "IMP", `{"was":"slicing"}`},
		{"anna", "import.undo", "IMP", `{"undo":"UNDO"}`},
	}, imp.ID, "IMP", undo.ID, "UNDO", imp.SHA256, "SHA", imp.Fingerprint, "PLAN", `"source":"`+imp.Source, `"source":"SOURCE`)
	for _, d := range s.deeds() {
		if strings.Contains(d.detail, "secret") || strings.Contains(d.detail, "17.5") || strings.Contains(d.detail, "18.5") {
			t.Errorf("%+v holds a cell", d)
		}
	}
}

func TestRefusalsAndEditsAreNoted(t *testing.T) {
	s := newIdleStack(t, nil)
	_, err := s.beginBy(by, "empty.csv", "", importer.Options{})
	var refused *importer.Refusal
	if !errors.As(err, &refused) {
		t.Fatalf("%v, want a refusal", err)
	}
	imp := s.drained(s.begin("a.csv", "sku,title\nA,a\n", importer.Options{}))
	it := s.product("A")
	edit, err := s.svc.Edit(by, s.ws, importer.EditRequest{Kind: catalog.KindProduct, ID: it.ID, Set: map[string]string{"title": `"mine"`}, Door: "web"})
	s.must(edit, err)
	if _, err := s.svc.Edit(by, s.ws, importer.EditRequest{Kind: catalog.KindProduct, ID: it.ID, Set: map[string]string{"price": `"x"`}, Door: "web"}); err == nil {
		t.Fatal("an edit that cannot be made was made")
	}
	gone, err := s.svc.Edit(by, s.ws, importer.EditRequest{Kind: catalog.KindProduct, ID: it.ID, Delete: true, Door: "web"})
	s.must(gone, err)
	all := s.deeds(refused.Import.ID, "REFUSED", imp.ID, "IMP", it.ID, "ITEM", edit.Import.ID, "EDIT", gone.Import.ID, "GONE")
	want := []deed{
		{"anna", "import.refuse", "REFUSED", all[0].detail},
		{"tallyman", "import.start", "IMP", all[1].detail}, // a test without a name, as the program itself
		{"anna", "item.edit", "ITEM", `{"fields":["title"],"import":"EDIT","outcome":"updated"}`},
		{"anna", "item.delete", "ITEM", `{"import":"GONE","outcome":"deleted"}`},
	}
	if diff := cmp.Diff(want, all, cmp.AllowUnexported(deed{})); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
	var d struct {
		Code string `json:"code"`
		Name string `json:"source_name"`
	}
	if err := json.Unmarshal([]byte(all[0].detail), &d); err != nil || d.Code != refused.Fault.Code || d.Name != "empty.csv" {
		t.Errorf("the refusal is noted as %s, %v", all[0].detail, err)
	}
}

// TestACorrectedFileIsNotedOnce, however many transactions it takes.
func TestACorrectedFileIsNotedOnce(t *testing.T) {
	s := newIdleStack(t, nil)
	var file strings.Builder
	file.WriteString("sku,price\n")
	for i := range 1500 { // more than one transaction saves
		file.WriteString("A" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + ",bad\n")
	}
	imp := s.drained(s.begin("a.csv", file.String(), importer.Options{}))
	back := strings.ReplaceAll(s.failedRows(imp.ID), ",bad,", ",5,")
	report, err := s.svc.CorrectFile(by, s.ws, imp.ID, "back.csv", "anna", strings.NewReader(back))
	if err != nil || report.Changed != 1500 {
		t.Fatalf("%+v, %v", report, err)
	}
	all := s.deeds(imp.ID, "IMP")
	if want := (deed{"anna", "import.correct", "IMP", `{"offered":1500,"source_name":"back.csv"}`}); len(all) != 2 || all[1] != want {
		t.Errorf("noted: %+v, want the start and %+v", all, want)
	}
	// The same file again lays nothing over anything.
	s.must(s.svc.CorrectFile(by, s.ws, imp.ID, "back.csv", "anna", strings.NewReader(back)))
	if again := s.deeds(); len(again) != len(all) {
		t.Errorf("what changes nothing is noted: %+v", again)
	}
}

// TestWhatTheProgramDoesByItselfIsItsOwn, whoever's act it follows from.
func TestWhatTheProgramDoesByItselfIsItsOwn(t *testing.T) {
	a := newAging(t, nil)
	imp := a.upload("a.csv", "sku,title\nA,a\n")
	left, err := a.beginBy(by, "b.csv", "sku,title\nB,b\n", importer.Options{Plan: true})
	a.drained(left, err)
	a.pass(31 * day)
	names := []string{imp.ID, "IMP", left.ID, "LEFT"}
	all := a.deeds(names...)[2:]
	want := map[deed]bool{
		{"tallyman", "import.age_out", "IMP", `{"images":true}`}:  true,
		{"tallyman", "import.give_up", "LEFT", ""}:                true,
		{"tallyman", "import.age_out", "LEFT", `{"images":true}`}: true,
	}
	for _, d := range all {
		if d.action == "import.age_out" && strings.Contains(d.detail, "images") {
			d.detail = `{"images":true}`
		}
		if d.who != "tallyman" || d.action != "import.age_out" && d.action != "import.give_up" {
			t.Errorf("noted: %+v", d)
		}
		delete(want, d)
	}
	if len(want) > 0 {
		t.Errorf("not noted: %v, but %+v", want, all)
	}
	a.pass(401 * day)
	for _, d := range a.deeds(names...) {
		if d.who == "anna" || d.action == "import.start" {
			t.Errorf("after its retention there still is %+v", d)
		}
	}
}

// TestARollBackIsTheProgramsOwn, and says what it takes back.
func TestARollBackIsTheProgramsOwn(t *testing.T) {
	w := &whileApplying{step: importer.StepFinishBefore}
	s := newStack(t, func(c *importer.Config) { c.Probe = w.probe })
	s.run("a.csv", "sku,title,price\nB,b,1\n", importer.Options{})
	imp, undo := s.rolledBack(w, "sku,title,price\nA,a,1\nB,b,2\n", func() {})
	all := s.deeds(imp.ID, "IMP", undo.ID, "UNDO")
	want := deed{"tallyman", "import.roll_back", "IMP", `{"code":"rows_failed","rows":{"created":1,"held":1},"undo":"UNDO"}`}
	if last := all[len(all)-1]; last != want {
		t.Errorf("noted last: %+v, want %+v", last, want)
	}
}
