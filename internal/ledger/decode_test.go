package ledger

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tallyman/internal/catalog"
)

// rowsOf is how many rows an outcomes body says that it holds.
func rowsOf(body []byte) int { return (&reader{s: string(body)}).count() }

// plainBodies are bodies before they are compressed: of each format, outcomes
// and images.
func plainBodies(tb testing.TB) (pairs [][2][]byte, formats []int) {
	enc := NewEncoder()
	add := func(p Page) {
		d := NewDecoder()
		outcomes, err := d.decompress(p.Outcomes)
		if err != nil {
			tb.Fatal(err)
		}
		images, err := d.decompress(p.Images)
		if err != nil {
			tb.Fatal(err)
		}
		pairs, formats = append(pairs, [2][]byte{[]byte(outcomes), []byte(images)}), append(formats, p.Format)
	}
	encode := func(entries []Entry, images []Image) (p Page) { enc.Encode(&p, entries, images); return p }
	add(encode(created(20), createdImages(20)))
	add(encode(failed(20, true), updated(20)))
	add(encode(again(20), held(20)))
	add(oldPage(tb))
	return pairs, formats
}

// FuzzDecode gives the decoders bodies that decompress well and mean nothing,
// and bodies that do not. They may refuse; they may not panic, nor return more
// than the bytes can hold.
func FuzzDecode(f *testing.F) {
	pairs, formats := plainBodies(f)
	for i, pair := range pairs {
		f.Add(formats[i], pair[0], pair[1])
	}
	whole := oldPage(f)
	f.Add(1, whole.Outcomes, whole.Images)
	f.Fuzz(func(t *testing.T, format int, outcomes, images []byte) {
		format = min(max(format, 1), FormatVersion)
		r := &reader{s: string(outcomes)}
		entries := r.outcomes(rowsOf(outcomes), format)
		if len(entries) > len(outcomes) {
			t.Errorf("%d entries from %d bytes", len(entries), len(outcomes))
		}
		links := r.links(entries)
		if len(links) > 2*len(outcomes) {
			t.Errorf("%d images from %d bytes", len(links), len(outcomes))
		}
		(&reader{s: string(images)}).values(links)
		if old := (&reader{s: string(images)}).images1(); len(old) > len(images) {
			t.Errorf("%d old images from %d bytes", len(old), len(images))
		}
		p := Page{Rows: 1, Format: format, Outcomes: outcomes, Images: images}
		if _, err := DecodeEntries(p); err == nil && len(outcomes) == 0 {
			t.Error("an empty body was read")
		}
		_, _, _ = DecodeImages(p)
	})
}

// FuzzReencode holds that what the decoder accepts, the encoder can say again
// and the decoder then reads the same.
func FuzzReencode(f *testing.F) {
	pairs, formats := plainBodies(f)
	for i, pair := range pairs {
		if formats[i] == FormatVersion {
			f.Add(pair[0], pair[1])
		}
	}
	f.Fuzz(func(t *testing.T, outcomes, values []byte) {
		r, v := &reader{s: string(outcomes)}, &reader{s: string(values)}
		entries := r.outcomes(rowsOf(outcomes), FormatVersion)
		images := r.links(entries)
		v.values(images)
		if r.err != nil || v.err != nil {
			return
		}
		var p Page
		NewEncoder().Encode(&p, entries, images)
		c, err := NewDecoder().contents(p)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(entries, c.entries, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("rows read differently the second time:\n%s", d)
		}
		if d := cmp.Diff(images, c.images, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("images read differently the second time:\n%s", d)
		}
	})
}

// Few bytes may say that there is much: a run of a million costs no more than a
// run of one. What is read must be bounded by the bytes all the same.
func TestCountsAreHeldAgainstTheBytes(t *testing.T) {
	var p Page
	NewEncoder().Encode(&p, again(3), held(3))
	for at := range 40 {
		plain := recompress(t, p.Outcomes, func(b []byte) []byte {
			return append(b[:min(at, len(b)):min(at, len(b))], 0xff, 0xff, 0xff, 0xff, 0x7f)
		})
		damaged := p
		damaged.Outcomes = plain
		if _, _, err := DecodeImages(damaged); err == nil {
			t.Errorf("a count of 2^35 at byte %d was believed", at)
		}
	}
}

// oldPage is a page as format 1 wrote it.
func oldPage(tb testing.TB) Page {
	tb.Helper()
	b, err := os.ReadFile("testdata/format1.json")
	if err != nil {
		tb.Fatal(err)
	}
	var old struct {
		Page
		Codes json.RawMessage
	}
	if err := json.Unmarshal(b, &old); err != nil {
		tb.Fatal(err)
	}
	if old.Page.Causes, err = DecodeCauses(old.Codes); err != nil {
		tb.Fatal(err)
	}
	return old.Page
}

func TestFormat1(t *testing.T) {
	p := oldPage(t)
	if p.Format != 1 || p.Rows != 5 || p.Tally.Rows() != 5 {
		t.Fatalf("the page is of format %d with %d rows: %+v", p.Format, p.Rows, p.Tally)
	}
	wantEntries, wantImages := oldRows()
	entries, err := DecodeEntries(p)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantEntries, entries); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
	images, gone, err := DecodeImages(p)
	if err != nil || gone {
		t.Fatalf("images: gone %v, %v", gone, err)
	}
	if d := cmp.Diff(wantImages, images); d != "" {
		t.Errorf("images (-want +got):\n%s", d)
	}
	if err := Check(p); err != nil {
		t.Error(err)
	}
	if _, err := DecodeEntries(Page{Format: 2, Rows: p.Rows, Outcomes: p.Outcomes}); err == nil {
		t.Error("its outcomes were read as those of format 2")
	}
}

// Once its images are gone, a page of format 1 says no more than which row wrote
// which item.
func TestFormat1WithoutImages(t *testing.T) {
	p := oldPage(t)
	p.Images = nil
	images, gone, err := DecodeImages(p)
	if err != nil || !gone {
		t.Fatalf("gone %v, %v", gone, err)
	}
	want := []Image{
		{Row: 2, ItemID: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", Outcome: catalog.Created},
		{Row: 3, ItemID: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c", Outcome: catalog.Updated},
		{Row: 5, ItemID: "prd_1", Outcome: catalog.Deleted},
	}
	if d := cmp.Diff(want, images); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
}

// oldRows is what stands on the page of format 1.
func oldRows() ([]Entry, []Image) {
	entries := []Entry{
		{Row: 2, Outcome: catalog.Created, ItemID: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"},
		{Row: 3, Outcome: catalog.Updated, ItemID: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c", Line: 4,
			Problems: []catalog.Problem{{Code: catalog.CodeSKUCaseTwin, Severity: catalog.Warning, Column: "sku", Value: "KETTLE-1", Message: "Another SKU differs in case alone."}},
			Ident:    []catalog.Key{{Field: catalog.KeySKU, Value: "KETTLE-1"}}},
		{Row: 4, Outcome: catalog.Failed, Line: 6,
			Problems: []catalog.Problem{
				{Code: catalog.CodeInvalidPrice, Severity: catalog.Error, Column: "Preis", Value: "gratis", Message: "This is no price."},
				{Code: catalog.CodeTooLong, Severity: catalog.Error, Column: "Titel", Value: "Größe", Message: "The text is too long."},
				{Code: catalog.CodeTooLong, Severity: catalog.Warning, Column: "Text", Message: "The text was cut."}}},
		{Row: 5, Outcome: catalog.Deleted, ItemID: "prd_1"},
		{Row: 6, Outcome: catalog.Unchanged, ItemID: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d"},
	}
	images := []Image{
		{Row: 2, Kind: catalog.KindProduct, ItemID: entries[0].ItemID, Outcome: catalog.Created},
		{Row: 3, Kind: catalog.KindProduct, ItemID: entries[1].ItemID, Outcome: catalog.Updated, Version: 3, ImportNo: 2, LastRow: 9, Hash: -77,
			Changes: []catalog.FieldChange{{Field: "price", Old: `"29.90 EUR"`, New: `"27.90 EUR"`}, {Field: "stock", Old: "4"}},
			Live:    catalog.Live{State: catalog.LiveOlder, Doc: `{"title":"Kettle"}`}, LiveChanged: true},
		{Row: 5, Kind: catalog.KindProduct, ItemID: "prd_1", Outcome: catalog.Deleted, Version: 1, ImportNo: 1, LastRow: 5, Hash: 12, Doc: `{"sku":"A"}`},
	}
	return entries, images
}
