package ledger

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"tallyman/internal/catalog"
)

// genText draws texts as files have them: short, repeated, odd, not always UTF-8.
func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "4006381333931", "29.90 EUR", "Größe\n\"L\"", "\xff\x00"}),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(b []byte) string { return string(b) }),
	)
}

func genID() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Just(""),
		rapid.Custom(func(t *rapid.T) string {
			return uuidText(rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo"))
		}),
		rapid.SampledFrom([]string{"prd_1", "0190A1B2-0000-7000-8000-000000000001", "0190a1b2-0000-7000-8000-00000000000g", "0190a1b2-0000-7000-8000-0000000000010"}),
		genText(),
	)
}

func genInt() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, -1}))
}

func genProblem() *rapid.Generator[catalog.Problem] {
	return rapid.Custom(func(t *rapid.T) catalog.Problem {
		return catalog.Problem{
			Code:     catalog.Code(rapid.SampledFrom([]string{"invalid_gtin", "invalid_price", "too_long", "made up later"}).Draw(t, "code")),
			Severity: rapid.SampledFrom([]catalog.Severity{catalog.Warning, catalog.Error}).Draw(t, "severity"),
			Column:   rapid.SampledFrom([]string{"", "ean", "price"}).Draw(t, "column"),
			Value:    genText().Draw(t, "value"),
			Message:  rapid.OneOf(rapid.Just("Invalid EAN format."), genText()).Draw(t, "message"),
		}
	})
}

// some draws a slice that is nil when it is empty, as decoded ones are.
func some[T any](t *rapid.T, g *rapid.Generator[T], most int, label string) []T {
	if s := rapid.SliceOfN(g, 0, most).Draw(t, label); len(s) > 0 {
		return s
	}
	return nil
}

func genEntry() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		x := Entry{
			Row:     genInt().Draw(t, "row"),
			Outcome: genOutcome().Draw(t, "outcome"),
			ItemID:  genID().Draw(t, "id"),
		}
		if rapid.Bool().Draw(t, "marked") {
			x.Line = genInt().Draw(t, "line")
			x.Problems = some(t, genProblem(), 3, "problems")
			x.Ident = some(t, rapid.Custom(func(t *rapid.T) catalog.Key {
				return catalog.Key{Field: catalog.KeyField(rapid.IntRange(1, 5).Draw(t, "field")), Value: genText().Draw(t, "value")}
			}), 3, "ident")
		}
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			x.Was = genWas().Draw(t, "was")
		}
		return x
	})
}

func genWas() *rapid.Generator[*Was] {
	return rapid.Custom(func(t *rapid.T) *Was {
		w := &Was{Outcome: genOutcome().Draw(t, "outcome"), Problems: some(t, genProblem(), 3, "problems")}
		for i := range w.Problems {
			w.Problems[i].Value, w.Problems[i].Message = "", ""
		}
		return w
	})
}

func genOutcome() *rapid.Generator[catalog.Outcome] {
	return rapid.Map(rapid.IntRange(0, catalog.Outcomes-1), func(n int) catalog.Outcome { return catalog.Outcome(n) })
}

func genImage() *rapid.Generator[Image] {
	return rapid.Custom(func(t *rapid.T) Image {
		x := Image{
			Row:     genInt().Draw(t, "row"),
			Kind:    catalog.Kind(rapid.IntRange(0, 7).Draw(t, "kind")),
			ItemID:  genID().Draw(t, "id"),
			Outcome: rapid.SampledFrom([]catalog.Outcome{catalog.Created, catalog.Updated, catalog.Deleted, catalog.Held}).Draw(t, "outcome"),
		}
		if rapid.Bool().Draw(t, "was there") {
			x.Version, x.ImportNo, x.LastRow = genInt().Draw(t, "version"), genInt().Draw(t, "import"), genInt().Draw(t, "lastRow")
		}
		if rapid.Bool().Draw(t, "with values") {
			drawValues(t, &x)
		}
		return x
	})
}

func drawValues(t *rapid.T, x *Image) {
	x.Hash, x.CreatedAt, x.CreatedNo = genInt().Draw(t, "hash"), genInt().Draw(t, "createdAt"), genInt().Draw(t, "createdNo")
	x.GTINShared = rapid.Bool().Draw(t, "shared")
	x.Doc = catalog.Doc(genText().Draw(t, "doc"))
	x.Changes = some(t, rapid.Custom(func(t *rapid.T) catalog.FieldChange {
		return catalog.FieldChange{Field: rapid.SampledFrom([]string{"price", "title", "attributes.color"}).Draw(t, "field"),
			Old: genText().Draw(t, "old"), New: genText().Draw(t, "new")}
	}), 3, "changes")
	x.Live = catalog.Live{State: catalog.LiveState(rapid.IntRange(0, 3).Draw(t, "live")), Doc: catalog.Doc(genText().Draw(t, "liveDoc"))}
	x.LiveChanged = rapid.Bool().Draw(t, "liveChanged")
}

// genImages draws images of which many are of the entries' rows and items.
func genImages(t *rapid.T, entries []Entry) []Image {
	images := some(t, genImage(), 40, "images")
	for i := range images {
		if len(entries) > 0 && rapid.IntRange(0, 3).Draw(t, "of a row") > 0 {
			x := &entries[rapid.IntRange(0, len(entries)-1).Draw(t, "which")]
			images[i].Row = x.Row
			if rapid.Bool().Draw(t, "of its item") {
				images[i].ItemID = x.ItemID
			}
		}
	}
	return images
}

func TestEncodeDecodeRoundTrip(t *testing.T) {
	enc, dec := NewEncoder(), NewDecoder()
	rapid.Check(t, func(t *rapid.T) {
		entries := some(t, genEntry(), 40, "entries")
		images := genImages(t, entries)
		wantEntries, wantImages := slices.Clone(entries), slices.Clone(images)
		slices.SortStableFunc(wantEntries, func(a, b Entry) int { return compare(a.Row, b.Row) })
		slices.SortStableFunc(wantImages, func(a, b Image) int { return compare(a.Row, b.Row) })

		p := Page{ImportNo: 7, Pass: PassApply, Batch: 2, Seq: 3}
		enc.Encode(&p, entries, images)
		gotEntries, err := dec.Entries(p)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(wantEntries, gotEntries, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("entries (-want +got):\n%s", d)
		}
		gotImages, gone, err := dec.Images(p)
		if err != nil || gone {
			t.Fatalf("gone %v, %v", gone, err)
		}
		if d := cmp.Diff(wantImages, gotImages); d != "" {
			t.Fatalf("images (-want +got):\n%s", d)
		}
		checkHeader(t, &p, wantEntries, wantImages)
		checkGone(t, dec, p, wantImages)
	})
}

// checkGone takes the values away: the links stay, and say what they said.
func checkGone(t *rapid.T, dec *Decoder, p Page, images []Image) {
	p.Images = nil
	want := make([]Image, len(images))
	for i, x := range images {
		want[i] = Image{Row: x.Row, Kind: x.Kind, ItemID: x.ItemID, Outcome: x.Outcome, Version: x.Version, ImportNo: x.ImportNo, LastRow: x.LastRow}
	}
	got, gone, err := dec.Images(p)
	if err != nil || gone != (len(images) > 0) {
		t.Fatalf("%d images: gone %v, %v", len(images), gone, err)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("links (-want +got):\n%s", d)
	}
	if err := Check(p); err != nil {
		t.Fatal(err)
	}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// checkHeader recounts a page the plain way.
func checkHeader(t *rapid.T, p *Page, entries []Entry, images []Image) {
	if tally := plainTally(entries); p.Tally != tally || p.Rows != len(entries) || p.Format != FormatVersion {
		t.Fatalf("page counts %+v rows %d format %d, its rows count to %+v", p.Tally, p.Rows, p.Format, tally)
	}
	if d := cmp.Diff(plainCauses(entries), causeMap(p.Causes), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("causes (-counted +page):\n%s", d)
	}
	if !slices.IsSortedFunc(p.Causes, compareCauses) {
		t.Fatalf("causes are out of order: %v", p.Causes)
	}
	if d := cmp.Diff(plainFields(images), p.Fields, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("fields (-counted +page):\n%s", d)
	}
	if n := len(entries); n > 0 && (p.FirstRow != entries[0].Row || p.LastRow != entries[n-1].Row) {
		t.Fatalf("page is of rows %d to %d, its entries of %d to %d", p.FirstRow, p.LastRow, entries[0].Row, entries[n-1].Row)
	}
	if err := Check(*p); err != nil {
		t.Fatal(err)
	}
}

func plainTally(entries []Entry) (t catalog.Tally) {
	for _, x := range entries {
		t.Count(x.Outcome, x.Problems)
		if x.Was != nil {
			var was catalog.Tally
			was.Count(x.Was.Outcome, x.Was.Problems)
			t = t.Add(negative(was))
		}
	}
	return t
}

// plainCauses counts problems by cause; a Cause without a count is the key.
func plainCauses(entries []Entry) map[Cause]int64 {
	counts := map[Cause]int64{}
	for _, x := range entries {
		for _, q := range x.Problems {
			counts[Cause{Code: q.Code, Severity: q.Severity, Column: q.Column}]++
		}
		if x.Was != nil {
			for _, q := range x.Was.Problems {
				counts[Cause{Code: q.Code, Severity: q.Severity, Column: q.Column}]--
			}
		}
	}
	maps.DeleteFunc(counts, func(_ Cause, n int64) bool { return n == 0 })
	return counts
}

func causeMap(causes []Cause) map[Cause]int64 {
	counts := map[Cause]int64{}
	for _, c := range causes {
		counts[Cause{Code: c.Code, Severity: c.Severity, Column: c.Column}] += c.Count
	}
	return counts
}

func plainFields(images []Image) []FieldCount {
	var fields []FieldCount
	for _, name := range []string{"attributes.color", "price", "title"} {
		f := FieldCount{Field: name}
		for _, x := range images {
			for _, c := range x.Changes {
				switch {
				case x.Outcome != catalog.Updated || c.Field != name:
				case c.Old == "":
					f.Added++
				case c.New == "":
					f.Cleared++
				default:
					f.Changed++
				}
			}
		}
		if f != (FieldCount{Field: name}) {
			fields = append(fields, f)
		}
	}
	return fields
}

func TestEncoderKeepsNothingOfThePageBefore(t *testing.T) {
	entries := []Entry{{Row: 2, Outcome: catalog.Failed, Problems: []catalog.Problem{{Code: "a", Severity: catalog.Error, Message: "m"}}}}
	var alone, after Page
	NewEncoder().Encode(&alone, entries, nil)
	enc := NewEncoder()
	enc.Encode(&after, failed(50, false), updated(50))
	first := slices.Clone(after.Outcomes)
	var again Page
	enc.Encode(&again, entries, nil)
	if !cmp.Equal(alone, again) {
		t.Errorf("a page encoded after another differs:\n%+v\n%+v", alone, again)
	}
	if !slices.Equal(first, after.Outcomes) {
		t.Error("encoding a page changed the bytes of the one before")
	}
}

func TestMissingBodies(t *testing.T) {
	var p Page
	NewEncoder().Encode(&p, created(3), createdImages(3))
	p.Outcomes, p.Images = nil, nil
	if _, err := DecodeEntries(p); !errors.Is(err, ErrNoBody) {
		t.Errorf("entries of a page without its body: %v", err)
	}
	if _, _, err := DecodeImages(p); !errors.Is(err, ErrNoBody) {
		t.Errorf("images of a page without its outcomes: %v", err)
	}

	NewEncoder().Encode(&p, unchanged(3), nil)
	if p.Images != nil {
		t.Errorf("a page on which nothing was written has an images body of %d bytes", len(p.Images))
	}
	if images, gone, err := DecodeImages(p); err != nil || gone || images != nil {
		t.Errorf("images of a page on which nothing was written: %v, gone %v, %v", images, gone, err)
	}

	NewEncoder().Encode(&p, created(3), nil)
	if p.Images == nil {
		t.Error("a page on which rows were written has no images body")
	}

	NewEncoder().Encode(&p, nil, nil)
	if entries, err := DecodeEntries(p); err != nil || entries != nil {
		t.Errorf("entries of an empty page: %v, %v", entries, err)
	}
	if images, gone, err := DecodeImages(p); err != nil || gone || images != nil {
		t.Errorf("images of an empty page: %v, gone %v, %v", images, gone, err)
	}
}

// A row may write one item several times; such images take few bytes each, and
// are as many as they are.
func TestManyImagesOfOneItem(t *testing.T) {
	entries := entriesOf(300, catalog.Updated)
	var images []Image
	for _, x := range entries {
		for range 10 {
			images = append(images, Image{Row: x.Row, Kind: catalog.KindProduct, ItemID: x.ItemID, Outcome: catalog.Updated})
		}
	}
	var p Page
	NewEncoder().Encode(&p, entries, images)
	got, _, err := DecodeImages(p)
	if d := cmp.Diff(images, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	var p Page
	NewEncoder().Encode(&p, created(3), createdImages(3))
	p.Format = FormatVersion + 1
	if _, err := DecodeEntries(p); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("entries: %v", err)
	}
	if _, _, err := DecodeImages(p); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("images: %v", err)
	}
}

func TestDamageIsFound(t *testing.T) {
	var whole Page
	NewEncoder().Encode(&whole, failed(200, true), updated(200))
	var other Page
	NewEncoder().Encode(&other, failed(100, true), updated(100))
	for name, damage := range map[string]func(p *Page){
		"a flipped bit":  func(p *Page) { p.Outcomes[len(p.Outcomes)/2] ^= 1; p.Images[len(p.Images)/2] ^= 1 },
		"cut short":      func(p *Page) { p.Outcomes = p.Outcomes[:len(p.Outcomes)-9]; p.Images = p.Images[:len(p.Images)-9] },
		"emptied":        func(p *Page) { p.Outcomes, p.Images = []byte{}, []byte{} },
		"not compressed": func(p *Page) { p.Outcomes, p.Images = []byte("0123456789"), []byte("0123456789") },
		"bytes behind": func(p *Page) {
			p.Outcomes, p.Images = recompress(t, p.Outcomes, func(b []byte) []byte { return append(b, 0) }), recompress(t, p.Images, func(b []byte) []byte { return append(b, 0) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := whole
			p.Outcomes, p.Images = slices.Clone(whole.Outcomes), slices.Clone(whole.Images)
			damage(&p)
			if _, err := DecodeEntries(p); !errors.Is(err, ErrCorrupt) {
				t.Errorf("entries: %v", err)
			}
			if _, _, err := DecodeImages(p); !errors.Is(err, ErrCorrupt) {
				t.Errorf("images: %v", err)
			}
		})
	}
	t.Run("a row lost", func(t *testing.T) {
		p := whole
		p.Rows++
		if _, err := DecodeEntries(p); !errors.Is(err, ErrCorrupt) {
			t.Errorf("entries: %v", err)
		}
	})
	for name, damage := range map[string]func(p *Page){
		"a count wrong":        func(p *Page) { p.Tally.Warnings++ },
		"a cause wrong":        func(p *Page) { p.Causes = slices.Clone(p.Causes); p.Causes[0].Count++ },
		"a cause lost":         func(p *Page) { p.Causes = p.Causes[1:] },
		"a field count wrong":  func(p *Page) { p.Fields = slices.Clone(p.Fields); p.Fields[0].Added++ },
		"images of other rows": func(p *Page) { p.Images = other.Images },
	} {
		t.Run(name, func(t *testing.T) {
			p := whole
			damage(&p)
			if err := Check(p); !errors.Is(err, ErrCorrupt) {
				t.Errorf("check: %v", err)
			}
		})
	}
}

func recompress(t *testing.T, body []byte, change func([]byte) []byte) []byte {
	t.Helper()
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	plain, err := r.DecodeAll(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewEncoder().compress(change(plain))
}

func TestUUIDText(t *testing.T) {
	for _, s := range []string{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"} {
		hi, lo, ok := parseUUID(s)
		if got := uuidText(hi, lo); !ok || got != s {
			t.Errorf("%s: read back as %s, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "0190A1B2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5 "} {
		if _, _, ok := parseUUID(s); ok {
			t.Errorf("%q is taken for a canonical UUID", s)
		}
	}
}

// The chunks below are like those that real imports make.

// id returns the i-th of a series of UUIDs of version 7 that share no random
// bits, the worst that a generator of them may do.
func id(i int) string {
	hi := (uint64(0x0190a1b2c3d4)+uint64(i)/80)<<16 | 0x7000 | mix(uint64(i))&0xfff
	return uuidText(hi, 2<<62|mix(uint64(i)+1e9)>>2)
}

// mix scatters numbers evenly, the same every time.
func mix(v uint64) uint64 {
	v = (v ^ v>>31) * 0x9E3779B97F4A7C15
	v = (v ^ v>>29) * 0xBF58476D1CE4E5B9
	return v ^ v>>32
}

func entriesOf(n int, o catalog.Outcome) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{Row: int64(i) + 2, Outcome: o, ItemID: id(i)}
	}
	return entries
}

// counted gives entries ids that count up, as the ids of new items do.
func counted(entries []Entry) []Entry {
	for i := range entries {
		entries[i].ItemID = uuidText(0x0190a1b2c3d47abc, 2<<62|0x123456789abcde+uint64(i))
	}
	return entries
}

func countedImages(images []Image) []Image {
	for i, x := range counted(make([]Entry, len(images))) {
		images[i].ItemID = x.ItemID
	}
	return images
}

func created(n int) []Entry   { return entriesOf(n, catalog.Created) }
func unchanged(n int) []Entry { return entriesOf(n, catalog.Unchanged) }

func createdImages(n int) []Image {
	images := make([]Image, n)
	for i := range images {
		images[i] = Image{Row: int64(i) + 2, Kind: catalog.KindProduct, ItemID: id(i), Outcome: catalog.Created}
	}
	return images
}

func updated(n int) []Image {
	images := createdImages(n)
	for i := range images {
		x := &images[i]
		x.Outcome, x.Version, x.ImportNo, x.LastRow = catalog.Updated, 1, 4, x.Row+int64(i/3)
		x.Hash = int64(uint64(i) * 0x9E3779B97F4A7C15)
		cents := 99 + i*7919%49900
		x.Changes = []catalog.FieldChange{
			{Field: "price", Old: fmt.Sprintf(`"%d.%02d EUR"`, cents/100, cents%100), New: fmt.Sprintf(`"%d.%02d EUR"`, cents*9/1000, cents*9/10%100)},
			{Field: "stock", Old: fmt.Sprint(i * 31 % 1000), New: fmt.Sprint(i * 53 % 1000)},
		}
		if i%4 == 0 {
			title := fmt.Sprintf(`"Nordwind Foldable Kettle %d`, 100+i*17%900)
			x.Changes = append(x.Changes, catalog.FieldChange{Field: "title", Old: title + `"`, New: title + ` v2"`})
		}
	}
	return images
}

// failed returns rows that failed: for a mixture of causes and values, or all
// alike.
func failed(n int, mixed bool) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		ean := fmt.Sprintf("40%011d", mix(uint64(i))%1e11)
		sku := fmt.Sprintf("QXW-%07d-BK", mix(uint64(i)+7)%1e7)
		p := catalog.Problem{Code: catalog.CodeMissingSKU, Severity: catalog.Error, Column: "sku", Message: "The row has no SKU; fill it in."}
		if mixed {
			switch i % 3 {
			case 0:
				p = catalog.Problem{Code: catalog.CodeGTINCheckDigit, Severity: catalog.Error, Column: "ean", Value: ean,
					Message: fmt.Sprintf("Invalid EAN check digit (expected %d).", i%10)}
			case 1:
				p = catalog.Problem{Code: catalog.CodeDuplicateSKUInFile, Severity: catalog.Error, Column: "sku", Value: sku,
					Message: fmt.Sprintf("The SKU stands on row %d already; give each product its own.", i+1)}
			}
		}
		entries[i] = Entry{Row: int64(i) + 2, Line: int64(i+i/8) + 2, Outcome: catalog.Failed, Problems: []catalog.Problem{p}}
		if mixed {
			entries[i].Ident = []catalog.Key{{Field: catalog.KeyGTIN, Value: ean}, {Field: catalog.KeySKU, Value: sku}}
		}
	}
	return entries
}

// again returns rows that failed before and are updated, or held, now.
func again(n int) []Entry {
	entries := entriesOf(n, catalog.Updated)
	for i := range entries {
		if i%2 == 1 {
			entries[i].Outcome = catalog.Held
			entries[i].Problems = []catalog.Problem{{Code: catalog.CodeMovedSincePlan, Severity: catalog.Warning, Message: "The price has moved."}}
		}
		entries[i].Was = &Was{Outcome: catalog.Failed, Problems: []catalog.Problem{{Code: catalog.CodeInvalidPrice, Severity: catalog.Error, Column: "price"}}}
	}
	return entries
}

// held returns the images of rows of which every other one is held.
func held(n int) []Image {
	images := updated(n)
	for i := range images {
		if i%2 == 1 {
			images[i].Outcome = catalog.Held
		}
	}
	return images
}

// TestBytesARow holds the ledger to its price: what full accounting may cost.
func TestBytesARow(t *testing.T) {
	const n = 2000
	for _, c := range []struct {
		name    string
		entries []Entry
		images  []Image
		most    float64
	}{
		{"created", counted(created(n)), countedImages(createdImages(n)), 3},
		{"created, random ids", created(n), createdImages(n), 12},
		{"unchanged", counted(unchanged(n)), nil, 2},
		{"unchanged, random ids", unchanged(n), nil, 11},
		{"updated", entriesOf(n, catalog.Updated), updated(n), 40},
		{"updated and held, again", again(n), held(n), 42},
		{"failed, mixed causes", failed(n, true), nil, 45},
		{"failed, one cause", failed(n, false), nil, 2},
	} {
		var p Page
		NewEncoder().Encode(&p, c.entries, c.images)
		outcomes, images := float64(len(p.Outcomes))/n, float64(len(p.Images))/n
		t.Logf("%-22s %5.1f bytes a row (outcomes %.1f, images %.1f)", c.name, outcomes+images, outcomes, images)
		if outcomes+images > c.most {
			t.Errorf("%s: %.1f bytes a row, at most %.0f wanted", c.name, outcomes+images, c.most)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	const n = 2000
	for _, c := range []struct {
		name    string
		entries []Entry
		images  []Image
	}{
		{"created", created(n), createdImages(n)},
		{"unchanged", unchanged(n), nil},
		{"updated", entriesOf(n, catalog.Updated), updated(n)},
		{"failed", failed(n, true), nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			enc := NewEncoder()
			var p Page
			b.ReportAllocs()
			for b.Loop() {
				enc.Encode(&p, c.entries, c.images)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	const n = 2000
	var p Page
	NewEncoder().Encode(&p, failed(n, true), updated(n))
	dec := NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dec.Entries(p); err != nil {
			b.Fatal(err)
		}
		if _, _, err := dec.Images(p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
