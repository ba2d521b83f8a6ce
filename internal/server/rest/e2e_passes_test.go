package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// post sends a JSON body and expects a status.
func (s *shop) post(status int, path, body string) object {
	s.t.Helper()
	return s.ask(status, "POST", path, body)
}

// ask sends a request with a JSON body and expects a status.
func (s *shop) ask(status int, method, path, body string, header ...string) object {
	s.t.Helper()
	got, o := s.call(method, path, strings.NewReader(body), header...)
	if got != status {
		s.t.Fatalf("%s %s: %d %v", method, path, got, o)
	}
	return o
}

func (s *shop) get(path string) object {
	s.t.Helper()
	return s.ask(http.StatusOK, "GET", path, "")
}

// rests follows an import until nothing happens before someone asks for it.
func (s *shop) rests(id string) object {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		o := s.get("/imports/" + id)
		switch o["state"] {
		case "planned", "done", "terminated", "stopped", "rolled_back", "failed":
			return o
		}
		s.get("/imports/" + id + "?wait=5s")
	}
	s.t.Fatalf("import %s does not rest", id)
	return nil
}

// planned uploads a file and waits for its plan.
func (s *shop) planned(file string, fields ...string) (id string, o object) {
	s.t.Helper()
	status, o := s.upload(file, append(fields, "plan", "true")...)
	if status != http.StatusCreated {
		s.t.Fatalf("upload: %d %v", status, o)
	}
	id = o["id"].(string)
	return id, s.rests(id)
}

func (s *shop) title(sku string) string {
	s.t.Helper()
	return fmt.Sprint(s.get("/products/sku/" + sku)["title"])
}

const shelf = "SKU,Title,Price\nA-1,Graines,10\nA-2,Nichoir,20\nA-3,Mangeoire,30\n"

func TestPlanAndApply(t *testing.T) {
	s := openShop(t)
	s.imported(shelf)
	id, o := s.planned("SKU,Title,Price\nA-1,Graines,15\nA-2,Nichoir,20\nB-1,Abreuvoir,5\nB-2,,5\n")
	s.expect(o, "status", "pending", "state", "planned", "processed_rows", 0, "total_rows", 4, "completed_at", nil)
	s.expect(o["plan"].(map[string]any), "created", 1, "updated", 1, "unchanged", 1, "failed", 1, "held", 0)
	fingerprint := o["fingerprint"].(string)
	if status, _ := s.call("GET", "/products/sku/B-1", nil); status != http.StatusNotFound {
		t.Errorf("a plan wrote: %d", status)
	}

	s.expect(s.get("/imports/" + id + "/summary?plan=true")["rows"].(map[string]any), "created", 1, "updated", 1, "failed", 1)
	changes := s.get("/imports/" + id + "/changes?plan=true&property=price")
	if data := changes.list("data"); len(data) < 1 {
		t.Errorf("changes: %v", changes)
	} else {
		field := data[0].list("fields")[0]
		s.expect(data[0], "row", 2, "outcome", "updated", "sku", "A-1")
		s.expect(field, "field", "price", "old", "10.00 EUR", "new", "15.00 EUR", "change_percent", 50)
	}
	if _, text := s.raw("GET", "/imports/"+id+"/changes.csv?plan=true", nil); !strings.Contains(text, ",price,10.00 EUR,15.00 EUR,50") {
		t.Errorf("changes.csv: %s", text)
	}
	if causes := s.get("/imports/" + id + "/causes?plan=true").list("data"); len(causes) != 1 {
		t.Errorf("causes: %v", causes)
	}
	s.expect(s.get("/imports/" + id + "/errors?plan=true").list("data")[0], "row", 5)
	s.expect(s.get("/imports/" + id + "/batches?pass=plan").list("data")[0], "pass", "plan", "node", "test")

	s.expect(s.post(http.StatusConflict, "/imports/"+id+"/apply", `{"fingerprint":"another"}`), "error", "plan_changed")
	// Somebody else changes what one row of the plan touches.
	s.imported("SKU,Price\nA-1,11\n")
	s.post(http.StatusOK, "/imports/"+id+"/apply", `{"fingerprint":"`+fingerprint+`"}`)
	o = s.rests(id)
	s.expect(o, "status", "completed_with_errors", "created_rows", 1, "held_rows", 1, "unchanged_rows", 1, "error_rows", 1)
	held := s.get("/imports/" + id + "/rows?outcome=held").list("data")
	if len(held) != 1 {
		t.Fatalf("held rows: %v", held)
	}
	s.expect(held[0], "row", 2, "outcome", "held")
	s.expect(held[0].list("errors")[0], "error", "conflict", "code", "moved_since_plan", "severity", "warning")
	s.expect(s.get("/products/sku/A-1"), "price", 11)

	s.post(http.StatusOK, "/imports/"+id+"/retry", `{"held":true,"failed":false}`)
	s.expect(s.rests(id), "round", 1, "held_rows", 0, "updated_rows", 1)
	s.expect(s.get("/products/sku/A-1"), "price", 15)
	s.expect(s.get("/imports/"+id+"/rows/2"), "outcome", "updated", "pass", "retry-1", "batch", 1)
}

func TestUndoOfAnImport(t *testing.T) {
	s := openShop(t)
	s.imported(shelf)
	id := s.imported("SKU,Title,Price\nA-1,Graines,15\nA-2,Nid,20\nB-1,Abreuvoir,5\n")["id"].(string)
	if s.get("/imports/" + id)["undoable_until"] == nil {
		t.Error("it cannot be undone")
	}
	s.imported("SKU,Price\nA-1,16\n")

	undo := s.post(http.StatusCreated, "/imports/"+id+"/undo", `{"plan":true}`)
	undoID := undo["id"].(string)
	s.expect(undo, "undo_of", id)
	o := s.rests(undoID)
	s.expect(o, "state", "planned")
	s.post(http.StatusOK, "/imports/"+undoID+"/apply", `{"fingerprint":"`+o["fingerprint"].(string)+`"}`)
	s.expect(s.rests(undoID), "status", "completed", "reverted_rows", 2, "kept_rows", 1)
	s.expect(s.get("/products/sku/A-1"), "price", 16)
	if got := s.title("A-2"); got != "Nichoir" {
		t.Errorf("the title is %s", got)
	}
	if status, _ := s.call("GET", "/products/sku/B-1", nil); status != http.StatusNotFound {
		t.Errorf("what was created is there: %d", status)
	}
	s.expect(s.get("/imports/"+id), "undone_by", undoID)
	if list := s.get("/imports?undo_of=" + id).list("data"); len(list) != 1 {
		t.Errorf("undos: %v", list)
	}

	again := s.post(http.StatusCreated, "/imports/"+undoID+"/undo", "")
	s.rests(again["id"].(string))
	if got := s.title("A-2"); got != "Nid" {
		t.Errorf("after the undo of the undo the title is %s", got)
	}
}

func TestCorrectAndRetry(t *testing.T) {
	s := openShop(t)
	o := s.imported("SKU,Title,Price,Shelf\nA-1,Graines,1O,x\nA-2,,20,y\nA-3,Mangeoire,n/a,z\nA-4,Nid,n/a,z\n")
	id := o["id"].(string)
	s.expect(o, "error_rows", 4, "created_rows", 0)
	path := "/imports/" + id

	row := s.get(path + "/rows/2")
	s.expect(row.list("cells")[2], "column", "Price", "value", "1O")
	code := fmt.Sprint(row.list("errors")[0]["code"])
	check := s.ask(http.StatusOK, "PATCH", path+"/rows/2", `{"cells":{"Price":"10"}}`)
	s.expect(check, "row", 2, "outcome", "created")
	s.expect(s.get(path + "/rows/2").list("cells")[2], "value", "10", "original", "1O")
	s.expect(s.ask(http.StatusOK, "DELETE", path+"/rows/2/corrections", ""), "outcome", "failed")
	s.ask(http.StatusOK, "PATCH", path+"/rows/2", `{"cells":{"Price":"10"}}`)
	s.expect(s.ask(http.StatusNotFound, "PATCH", path+"/rows/99", `{"cells":{"Price":"10"}}`), "error", "row_not_found")
	s.ask(http.StatusUnprocessableEntity, "PATCH", path+"/rows/2", `{"cells":{"Colour":"10"}}`)

	fixAt := func(fix object) string { return fmt.Sprint(path, "/fixes/", fix["fix"].(map[string]any)["no"]) }
	fix := s.post(http.StatusCreated, path+"/fixes", fmt.Sprintf(`{"code":%q,"column":"Price","from":"n/a","to":"8"}`, code))
	if status, _ := s.raw("DELETE", fixAt(fix), nil); status != http.StatusNoContent {
		t.Errorf("unfix: %d", status)
	}
	fix = s.post(http.StatusCreated, path+"/fixes", fmt.Sprintf(`{"code":%q,"column":"Price","from":"n/a","to":"7"}`, code))
	s.expect(fix, "rows", 2)
	s.expect(s.post(http.StatusConflict, path+"/fixes", fmt.Sprintf(`{"code":%q,"column":"Price","from":"none","to":"7"}`, code)), "error", "nothing_to_fix")
	if fixes := s.get(path + "/fixes").list("data"); len(fixes) != 1 {
		t.Errorf("fixes: %v", fixes)
	}

	// The downloaded rows, corrected and sent back.
	_, file := s.raw("GET", path+"/failed-rows.csv", nil)
	lines := strings.Split(strings.TrimSpace(file), "\r\n")
	if len(lines) != 5 || !strings.HasSuffix(lines[0], "Shelf,tallyman_row,tallyman_status,tallyman_code,tallyman_message") {
		t.Fatalf("failed rows: %q", file)
	}
	edited := lines[0] + "\n" + strings.Replace(lines[2], "A-2,,", "A-2,Nichoir,", 1) + "\n"
	report := s.corrections(id, edited)
	s.expect(report, "rows", 1, "corrected_rows", 1, "corrected_cells", 1)
	s.expect(s.ask(http.StatusUnprocessableEntity, "POST", path+"/corrections", "SKU,Title\nA-2,x\n", "Content-Type", "text/csv"), "error", "no_row_key")

	s.post(http.StatusOK, path+"/retry", "")
	s.expect(s.rests(id), "status", "completed", "created_rows", 4, "error_rows", 0)
	if got := s.title("A-2"); got != "Nichoir" {
		t.Errorf("the title is %s", got)
	}
	s.expect(s.get("/products/sku/A-4"), "price", 7)
	s.expect(s.post(http.StatusConflict, path+"/retry", ""), "error", "nothing_to_retry")
	s.expect(s.ask(http.StatusConflict, "DELETE", fixAt(fix), ""), "error", "fix_used")
}

// corrections sends corrected rows as a form.
func (s *shop) corrections(id, file string) object {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "failed.csv")
	must(s.t, err)
	_, err = io.WriteString(part, file)
	must(s.t, err)
	must(s.t, w.Close())
	status, o := s.call("POST", "/imports/"+id+"/corrections", &b, "Content-Type", w.FormDataContentType())
	if status != http.StatusOK {
		s.t.Fatalf("corrections: %d %v", status, o)
	}
	return o
}

func TestLimitsAndPolicies(t *testing.T) {
	s := openShop(t)
	s.imported(shelf)
	status, o := s.upload("SKU,Title,Price\nA-1,Graines,90\n", "max_price_move_percent", "20")
	if status != http.StatusCreated {
		t.Fatalf("upload: %d %v", status, o)
	}
	id := o["id"].(string)
	o = s.rests(id)
	s.expect(o, "state", "planned", "needs_confirmation", true)
	finding := o.list("findings")[0]
	s.expect(finding, "rail", "price_move_percent", "limit", 20, "found", 800)
	if url, ok := finding["changes_url"].(string); ok {
		if data := s.get(strings.TrimPrefix(url, "/api/v1")).list("data"); len(data) != 1 {
			t.Errorf("%s: %v", url, data)
		}
	}
	apply := fmt.Sprintf(`{"fingerprint":%q`, o["fingerprint"])
	s.expect(s.post(http.StatusConflict, "/imports/"+id+"/apply", apply+"}"), "error", "confirmation_needed")
	s.post(http.StatusOK, "/imports/"+id+"/apply", apply+`,"confirm":true}`)
	s.expect(s.rests(id), "updated_rows", 1, "status", "completed")

	_, o = s.upload("SKU,Title,Price\nC-1,x,1\nC-2,,1\n", "policy", "all_or_nothing")
	o = s.rests(o["id"].(string))
	s.expect(o, "created_rows", 0, "policy", "all_or_nothing")
	if status, _ := s.call("GET", "/products/sku/C-1", nil); status != http.StatusNotFound {
		t.Errorf("it was not nothing: %d", status)
	}

	_, first := s.upload(shelf)
	s.rests(first["id"].(string))
	if first["duplicate_of"] == nil {
		t.Errorf("the same content is not noted: %v", first)
	}
	s.expect(s.get("/imports?sha256=" + first["sha256"].(string))["meta"].(map[string]any), "total", 2)
}

func TestEditsAndHistory(t *testing.T) {
	s := openShop(t)
	first := s.imported("EAN,SKU,Title,Price,Brand\n3760000000000,A-1,Graines,10,Vilmorin\n")["id"].(string)
	r, etag, _ := s.headers("GET", "/products/3760000000000", "")
	id := r["id"].(string)

	o, newer, imp := s.headers("PATCH", "/products/"+id, `{"price":"12.50","brand":null,"attributes":{"color":"bleu"},"images":["https://img.example.com/a|b.jpg"]}`, "If-Match", etag)
	s.expect(o, "price", 12.5, "currency", "EUR", "brand", nil, "title", "Graines", "images", "[https://img.example.com/a|b.jpg]")
	s.expect(o["attributes"].(map[string]any), "color", "bleu")
	if imp == "" || newer == etag || s.get("/imports/" + imp)["source"] != "edit" {
		t.Errorf("import %q, version %s after %s", imp, newer, etag)
	}
	s.expect(s.ask(http.StatusPreconditionFailed, "PATCH", "/products/"+id, `{"title":"x"}`, "If-Match", etag), "error", "version_conflict")
	wrong := s.ask(http.StatusUnprocessableEntity, "PATCH", "/products/"+id, `{"price":"much","attributes":{"color":"rouge"}}`)
	if details := wrong["details"].(map[string]any); details["price"] == nil || len(details) != 1 {
		t.Errorf("details: %v", details)
	}

	put, _, last := s.headers("PUT", "/products/"+id, `{"ean":"3760000000000","title":"Graines","stock":4}`)
	s.expect(put, "sku", nil, "price", nil, "stock", 4, "ean", "3760000000000")
	s.expect(put["attributes"].(map[string]any), "color", nil)

	history := s.get("/products/" + id + "/history")
	steps := history.list("steps")
	if len(steps) != 3 {
		t.Fatalf("history: %v", history)
	}
	s.expect(history, "truncated", false)
	s.expect(steps[0], "import_id", last, "source", "edit", "outcome", "updated", "version", 3)
	s.expect(steps[1], "import_id", imp, "version", 2)
	s.expect(steps[2], "import_id", first, "outcome", "created", "row", 2, "version", 1, "source_name", "catalog.csv")

	undo := s.post(http.StatusCreated, "/imports/"+last+"/undo", "")
	s.expect(s.rests(undo["id"].(string)), "status", "completed", "reverted_rows", 1)
	s.expect(s.get("/products/"+id), "price", 12.5, "sku", "A-1")

	status, _ := s.raw("DELETE", "/products/"+id, nil)
	if status != http.StatusNoContent {
		t.Errorf("delete: %d", status)
	}
	for _, method := range []string{"GET", "DELETE", "PATCH"} {
		if status, o := s.call(method, "/products/"+id, strings.NewReader(`{"title":"x"}`)); status != http.StatusNotFound {
			t.Errorf("%s of what is gone: %d %v", method, status, o)
		}
	}
}

// uploadOnce is upload under an Idempotency-Key.
func (s *shop) uploadOnce(key, file string) (int, object) {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "catalog.csv")
	must(s.t, err)
	fmt.Fprint(part, file)
	must(s.t, w.Close())
	return s.call("POST", "/imports", &b, "Content-Type", w.FormDataContentType(), "Idempotency-Key", key)
}

// headers sends a request and returns what an edit's answer has beside its body.
func (s *shop) headers(method, path, body string, header ...string) (o object, etag, importID string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	must(s.t, err)
	r.Header.Set("Authorization", "Bearer "+s.key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	must(s.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(s.t, err)
	if err := json.Unmarshal(text, &o); err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return o, res.Header.Get("ETag"), res.Header.Get("X-Import-Id")
}

// TestRetriedUploads: clients that send the same request again and at once make one
// import, one undo and one edit.
func TestRetriedUploads(t *testing.T) {
	s := openShop(t)
	ids := make(chan string, 8)
	var clients sync.WaitGroup
	for range cap(ids) {
		clients.Go(func() {
			for {
				status, o := s.uploadOnce("k1", shelf)
				switch status {
				case http.StatusCreated:
					ids <- o["id"].(string)
					return
				case http.StatusConflict:
					if o["error"] != "request_in_flight" {
						t.Errorf("%v", o)
						ids <- ""
						return
					}
				default:
					t.Errorf("%d %v", status, o)
					ids <- ""
					return
				}
			}
		})
	}
	clients.Wait()
	close(ids)
	id := <-ids
	for other := range ids {
		if other != id {
			t.Errorf("imports %s and %s", id, other)
		}
	}
	s.rests(id)
	s.expect(s.get("/imports")["meta"].(map[string]any), "total", 1)

	item := s.get("/products/sku/A-1")["id"].(string)
	for range 2 {
		o := s.ask(http.StatusOK, "PATCH", "/products/"+item, `{"title":"Semences"}`, "Idempotency-Key", "k2")
		s.expect(o, "title", "Semences")
		s.ask(http.StatusCreated, "POST", "/imports/"+id+"/undo", `{"plan":true}`, "Idempotency-Key", "k3")
	}
	s.expect(s.get("/imports")["meta"].(map[string]any), "total", 3)
	s.expect(s.ask(http.StatusConflict, "PATCH", "/products/"+item, `{"title":"x"}`, "Idempotency-Key", "k2"), "error", "idempotency_key_reused")
}

// TestEditsAfterACrash: an edit that was made and not answered is found again,
// though it changed what its request names the product by, and no other request
// under its key is taken for it.
func TestEditsAfterACrash(t *testing.T) {
	s := openShop(t)
	s.imported("SKU,EAN,Title\nA-1,3760000000000,Graines\nA-2,4006381333931,Nichoir\n")
	other := "/products/" + s.get("/products/sku/A-2")["id"].(string)
	for i, c := range []struct {
		method, path, body string
		status             int
		title              string // as answered
	}{
		{"PATCH", "/products/3760000000000", `{"ean":"012345678905","title":"Semences"}`, 200, "Semences"},
		{"PUT", "/products/012345678905", `{"sku":"A-1","title":"Graines"}`, 200, "Graines"},
		{"DELETE", "/products/4006381333931", "", 204, "<nil>"},
	} {
		key := []string{"Idempotency-Key", fmt.Sprint("k", i)}
		s.requests.Dying = true
		s.raw(c.method, c.path, strings.NewReader(c.body), key...)
		s.requests.Dying = false
		for _, request := range []string{"PATCH " + other, "PUT " + other, "DELETE " + other, "PATCH " + c.path, "POST /imports/none/undo", "POST /imports/none/pause"} {
			method, path, _ := strings.Cut(request, " ")
			body := `{"title":"Mine"}`
			if method == "POST" {
				body = ""
			}
			s.expect(s.ask(http.StatusConflict, method, path, body, key...), "error", "idempotency_key_reused")
		}
		for range 2 {
			status, text := s.raw(c.method, c.path, strings.NewReader(c.body), key...)
			var o object
			if status == http.StatusOK {
				must(t, json.Unmarshal([]byte(text), &o))
			}
			if status != c.status || fmt.Sprint(o["title"]) != c.title {
				t.Errorf("%s %s again: %d %s", c.method, c.path, status, text)
			}
		}
		s.expect(s.get("/imports?source=edit")["meta"].(map[string]any), "total", i+1)
	}
}
