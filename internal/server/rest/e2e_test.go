package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallyman/internal/account"
	"tallyman/internal/files/disk"
	"tallyman/internal/importer"
	"tallyman/internal/jobs"
	"tallyman/internal/jobs/sqlitejobs"
	"tallyman/internal/server"
	"tallyman/internal/server/rest"
	"tallyman/internal/store"
	"tallyman/internal/store/sqlite"
)

// patience bounds every wait: past it something hangs.
const patience = 2 * time.Minute

// shop is the whole program behind a listener: SQLite, files on disk, the job
// engine, the importer, and the door.
type shop struct {
	t        *testing.T
	url      string
	db       *sqlite.DB
	engine   *sqlitejobs.Engine
	accounts *account.Accounts
	requests *rest.Mortal
	ws       store.Workspace
	key      string // of role import
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := openIdleShop(t)
	s.start()
	return s
}

// openIdleShop opens a shop in which jobs wait until start is called.
func openIdleShop(t *testing.T) *shop {
	t.Helper()
	ctx, dir, log := context.Background(), t.TempDir(), slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, filepath.Join(dir, "t.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	files, err := disk.Open(filepath.Join(dir, "files"), disk.Options{})
	must(t, err)
	t.Cleanup(func() { files.Close() })
	imports, err := importer.New(importer.Config{Store: db, Files: files, Node: "test", Workers: 2, ScratchDir: t.TempDir(), MaxUploadBytes: 1 << 20})
	must(t, err)
	engine, err := sqlitejobs.New(db.Writer(), jobs.Config{Handler: imports, Log: log, Workers: 2, SoleOwner: true})
	must(t, err)
	must(t, engine.Migrate(ctx))
	db.BindEnqueue(engine.InsertTx)
	s := &shop{t: t, db: db, engine: engine, accounts: account.New(account.Config{Store: db}), requests: &rest.Mortal{Requests: db}}
	s.ws, err = db.CreateWorkspace(ctx, store.Workspace{Name: "acme", Currency: "EUR", CreatedAt: time.Now()})
	must(t, err)
	s.key = s.newKey(s.ws, account.Import)
	s.listen(imports, log)
	return s
}

func (s *shop) start() {
	s.t.Helper()
	must(s.t, s.engine.Start(context.Background()))
	s.t.Cleanup(func() { s.engine.Stop(context.Background()) })
}

func (s *shop) listen(imports importer.API, log *slog.Logger) {
	s.t.Helper()
	door, err := rest.New(rest.Config{Imports: imports, Items: s.db, Accounts: s.accounts, Requests: s.requests, Log: log, Now: time.Now, Version: "test"})
	must(s.t, err)
	h := server.New(server.Config{Doors: []server.Door{door}, Ready: s.db.Health, Log: log, Now: time.Now})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.NewServer(h, log).Serve(ctx, ln) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
	s.url = "http://" + ln.Addr().String() + rest.Prefix
}

func (s *shop) newKey(ws store.Workspace, role account.Role) string {
	s.t.Helper()
	_, secret, err := s.accounts.CreateKey(context.Background(), ws.WS, string(role), role)
	must(s.t, err)
	return secret
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// object is a JSON object as a client sees it.
type object map[string]any

func (o object) list(name string) []object {
	entries, _ := o[name].([]any)
	out := make([]object, len(entries))
	for i, e := range entries {
		out[i], _ = e.(map[string]any)
	}
	return out
}

// call sends a request with the shop's key and reads a JSON answer.
func (s *shop) call(method, path string, body io.Reader, header ...string) (int, object) {
	s.t.Helper()
	status, text := s.raw(method, path, body, header...)
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		s.t.Fatalf("%s %s: %d %q: %v", method, path, status, text, err)
	}
	return status, o
}

func (s *shop) raw(method, path string, body io.Reader, header ...string) (int, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
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
	return res.StatusCode, string(text)
}

// upload sends a file and fields: name, value, name, value.
func (s *shop) upload(file string, fields ...string) (int, object) {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "catalog.csv")
	must(s.t, err)
	fmt.Fprint(part, file)
	for i := 0; i < len(fields); i += 2 {
		must(s.t, w.WriteField(fields[i], fields[i+1]))
	}
	must(s.t, w.Close())
	return s.call("POST", "/imports", &b, "Content-Type", w.FormDataContentType())
}

// imported uploads a file and waits for the import's end.
func (s *shop) imported(file string, fields ...string) object {
	s.t.Helper()
	status, o := s.upload(file, fields...)
	if status != http.StatusCreated {
		s.t.Fatalf("upload: %d %v", status, o)
	}
	return s.await(o["id"].(string))
}

// await follows an import to its end as a client would.
func (s *shop) await(id string) object {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		status, o := s.call("GET", "/imports/"+id+"?wait=20s", nil)
		if status != http.StatusOK {
			s.t.Fatalf("get import: %d %v", status, o)
		}
		if o["completed_at"] != nil {
			return o
		}
	}
	s.t.Fatalf("import %s does not end", id)
	return nil
}

// expect compares some fields of an object.
func (s *shop) expect(o object, fields ...any) {
	s.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		name := fields[i].(string)
		if want, got := fmt.Sprint(fields[i+1]), fmt.Sprint(o[name]); want != got {
			s.t.Errorf("%s is %s, want %s, in %v", name, got, want, o)
		}
	}
}

const frenchMapping = `{"EAN":"ean","Titre":"title","Prix":"price"}`

func TestImportAndItsErrors(t *testing.T) {
	s := openShop(t)
	o := s.imported("EAN,Titre,Prix,Notes\n3760000000000,Graines,\"29,90\",x\ninvalid-ean,Mangeoire,5,y\n4006381333931,Nichoir,12.5,z\n", "format", "csv", "mapping", frenchMapping)
	s.expect(o, "status", "completed_with_errors", "total_rows", 3, "processed_rows", 3, "created_rows", 2, "updated_rows", 0, "error_rows", 1,
		"progress", 100, "source_name", "catalog.csv", "format", "csv")

	_, errs := s.call("GET", "/imports/"+o["id"].(string)+"/errors", nil)
	if len(errs.list("data")) != 1 {
		t.Fatalf("errors: %v", errs)
	}
	s.expect(errs.list("data")[0], "row", 3, "ean", "invalid-ean", "error", "validation_error", "message", "Invalid EAN format.", "code", "invalid_gtin", "column", "EAN")
	s.expect(object(errs["meta"].(map[string]any)), "page", 1, "per_page", 20, "total", 1, "total_pages", 1)

	_, report := s.raw("GET", "/imports/"+o["id"].(string)+"/errors.csv", nil)
	if want := "3,3,invalid-ean,,EAN,invalid-ean,error,validation_error,invalid_gtin,"; !strings.Contains(report, want) {
		t.Errorf("the report %q does not hold %q", report, want)
	}

	status, p := s.call("GET", "/products/3760000000000", nil)
	if status != http.StatusOK {
		t.Fatalf("product: %d %v", status, p)
	}
	s.expect(p, "ean", "3760000000000", "title", "Graines", "price", "29.9", "currency", "EUR")
	if _, text := s.raw("GET", "/products/03760000000000", nil); !strings.Contains(text, `"price":29.90,`) {
		t.Errorf("the price has not the digits of the file: %s", text)
	}
	if status, p := s.call("GET", "/products/invalid-ean", nil); status != http.StatusNotFound || p["error"] != "not_found" {
		t.Errorf("a product that was refused: %d %v", status, p)
	}
}

// Errors and warnings are listed apart or together, with exact totals.
func TestSeverities(t *testing.T) {
	s := openShop(t)
	o := s.imported("EAN,Title\n'3760000000000,Graines\n'invalid-ean,Nichoir\n'4006381333931,Mangeoire\n")
	s.expect(o, "error_rows", 1, "warning_rows", 3)
	path := "/imports/" + o["id"].(string) + "/errors"
	for query, want := range map[string]string{
		"":                                    "3 error, of 1",
		"?severity=error":                     "3 error, of 1",
		"?severity=warning":                   "2 warning, 3 warning, 4 warning, of 3",
		"?severity=warning&per_page=1&page=2": "3 warning, of 3",
		"?severity=warning&page=2":            "of 3",
		"?severity=all&per_page=3&page=2":     "4 warning, of 4",
	} {
		status, list := s.call("GET", path+query, nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %v", query, status, list)
		}
		got := ""
		for _, e := range list.list("data") {
			got += fmt.Sprintf("%v %v, ", e["row"], e["severity"])
		}
		got += fmt.Sprintf("of %v", list["meta"].(map[string]any)["total"])
		if got != want {
			t.Errorf("errors%s: %s, want %s", query, got, want)
		}
	}
}

func TestUpdateExisting(t *testing.T) {
	s := openShop(t)
	const first = "EAN,Titre,Prix\n3760000000000,Graines,1\n4006381333931,Nichoir,2\n"
	s.expect(s.imported(first, "mapping", frenchMapping), "status", "completed", "created_rows", 2)
	s.expect(s.imported(first, "mapping", frenchMapping), "status", "completed", "unchanged_rows", 2, "created_rows", 0)
	second := strings.Replace(first, ",2\n", ",3\n", 1)
	s.expect(s.imported(second, "mapping", frenchMapping, "update_existing", "true"), "updated_rows", 1, "unchanged_rows", 1)
	o := s.imported(second, "mapping", frenchMapping, "update_existing", "false")
	s.expect(o, "status", "completed_with_errors", "error_rows", 2, "mode", "create")
	_, errs := s.call("GET", "/imports/"+o["id"].(string)+"/errors?per_page=1&page=2", nil)
	s.expect(errs.list("data")[0], "row", 3, "error", "duplicate_ean")
	s.expect(object(errs["meta"].(map[string]any)), "total", 2, "total_pages", 2)
}

func TestRefusalsAreRecorded(t *testing.T) {
	s := openShop(t)
	for _, c := range []struct {
		name, file string
		fields     []string
		status     int
		code       string
		recorded   bool
	}{
		{"empty file", "", nil, 422, "empty_file", true},
		{"binary file", "%PDF-1.7\x00\x01\x02\x03", nil, 422, "unknown_format", true},
		{"too large", strings.Repeat("x", 2<<20), nil, 413, "file_too_large", true},
		{"unknown field of the catalog", "EAN,Titre\n1,a\n", []string{"mapping", `{"EAN":"ean","Titre":"no_such_field"}`}, 422, "validation_error", true},
		{"column that is not there", "EAN,Titre\n1,a\n", []string{"mapping", `{"EAN":"ean","Title":"title"}`}, 422, "validation_error", true},
		{"unknown source", "EAN,Titre\n1,a\n", []string{"source", "no_such_source"}, 422, "validation_error", true},
		{"wrong option", "EAN,Titre\n1,a\n", []string{"format", "pdf"}, 422, "validation_error", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, before := s.call("GET", "/imports?status=failed", nil)
			status, o := s.upload(c.file, c.fields...)
			if status != c.status || o["error"] != c.code {
				t.Errorf("got %d %v, want %d %s", status, o, c.status, c.code)
			}
			_, after := s.call("GET", "/imports?status=failed", nil)
			listed := after["meta"].(map[string]any)["total"].(float64) - before["meta"].(map[string]any)["total"].(float64)
			if (listed == 1) != c.recorded {
				t.Errorf("%v more failed imports are listed", listed)
			}
			if c.recorded {
				newest := after.list("data")[0]
				s.expect(newest, "status", "failed", "state", "refused")
				s.expect(newest, "id", o["import_id"])
			} else if o["import_id"] != nil {
				t.Errorf("an import is named in %v", o)
			}
		})
	}
}

func TestListsAndFilters(t *testing.T) {
	s := openShop(t)
	s.imported("EAN,Title,Brand,SKU\n3760000000000,Graines,Vilmorin,G-1\n4006381333931,Nichoir,Acme,N/2\n012345678905,Mangeoire,Acme,M-3\n")
	s.imported("EAN,Title\nbad,x\n")
	s.upload("")
	for query, want := range map[string]int{"": 3, "?status=completed": 1, "?status=completed_with_errors": 1, "?status=failed": 1, "?status=pending": 0,
		"?state=done": 2, "?state=done&status=completed": 1, "?page=2&per_page=2": 3, "?page=9": 3} {
		status, o := s.call("GET", "/imports"+query, nil)
		if meta, _ := o["meta"].(map[string]any); status != 200 || fmt.Sprint(meta["total"]) != fmt.Sprint(want) {
			t.Errorf("imports%s: %d %v, want %d", query, status, o["meta"], want)
		}
	}
	for query, want := range map[string]string{
		"": "Graines Mangeoire Nichoir", "?brand=Acme": "Mangeoire Nichoir", "?q=NICH": "Nichoir", "?sku=N/2": "Nichoir", "?ean=0012345678905": "Mangeoire",
		"?sku=N/2&brand=Vilmorin": "", "?ean=012345678905&q=mang": "Mangeoire", "?ean=012345678905&page=2": "", "?brand=Nobody": "", "?sku=none": "", "?per_page=2&page=3": "",
	} {
		_, o := s.call("GET", "/products"+query, nil)
		titles := map[string]bool{}
		for _, p := range o.list("data") {
			titles[fmt.Sprint(p["title"])] = true
		}
		got := strings.Join(sortedKeys(titles), " ")
		if got != want {
			t.Errorf("products%s: %q, want %q", query, got, want)
		}
	}
	if status, p := s.call("GET", "/products/sku/N%2F2", nil); status != 200 || p["title"] != "Nichoir" {
		t.Errorf("a SKU with a slash: %d %v", status, p)
	}
	s.imported("UPC,Title\n04252614,Cola\n")
	for _, path := range []string{"/products/04252614", "/products/0042100005264"} {
		if status, p := s.call("GET", path, nil); status != 200 || p["title"] != "Cola" {
			t.Errorf("%s: %d %v", path, status, p)
		}
	}
	if _, o := s.call("GET", "/products?ean=04252614&q=cola", nil); len(o.list("data")) != 1 {
		t.Errorf("a filter by UPC-E: %v", o)
	}
}

func sortedKeys(m map[string]bool) []string {
	var out []string
	for _, k := range []string{"Graines", "Mangeoire", "Nichoir"} {
		if m[k] {
			out = append(out, k)
		}
	}
	return out
}

func TestPauseResumeTerminate(t *testing.T) {
	s := openIdleShop(t)
	const file = "SKU,Title\nA-1,Graines\nA-2,Nichoir\n"
	_, first := s.upload(file)
	_, second := s.upload(strings.ReplaceAll(file, "A-", "B-"))
	s.expect(first, "status", "pending", "state", "received")
	path := "/imports/" + first["id"].(string)

	status, o := s.call("POST", path+"/pause", nil)
	if status != http.StatusOK {
		t.Fatalf("pause: %d %v", status, o)
	}
	s.expect(o, "state", "paused", "status", "processing", "paused", true, "completed_at", nil)
	status, o = s.call("POST", "/imports/"+second["id"].(string)+"/cancel", nil)
	if status != http.StatusOK {
		t.Fatalf("cancel: %d %v", status, o)
	}
	s.start()
	s.expect(s.await(second["id"].(string)), "status", "failed", "state", "terminated", "error", "import_terminated", "created_rows", 0)
	_, o = s.call("GET", path, nil)
	s.expect(o, "state", "paused", "processed_rows", 0)

	if status, o = s.call("POST", path+"/resume", nil); status != http.StatusOK {
		t.Fatalf("resume: %d %v", status, o)
	}
	s.expect(s.await(first["id"].(string)), "status", "completed", "created_rows", 2)
	for _, verb := range []string{"pause", "resume"} {
		if status, o := s.call("POST", path+"/"+verb, nil); status != http.StatusConflict {
			t.Errorf("%s of what has ended: %d %v", verb, status, o)
		}
	}
	_, batches := s.call("GET", path+"/batches", nil)
	if data := batches.list("data"); len(data) != 1 {
		t.Errorf("batches: %v", batches)
	} else {
		s.expect(data[0], "number", 1, "state", "done", "first_row", 2, "total_rows", 2, "processed_rows", 2, "created_rows", 2)
	}
}

func TestAnotherWorkspaceSeesNothing(t *testing.T) {
	s := openShop(t)
	o := s.imported("EAN,Title,SKU\n3760000000000,Graines,G-1\n")
	id := o["id"].(string)
	_, p := s.call("GET", "/products/sku/G-1", nil)
	item := p["id"].(string)
	other, err := s.db.CreateWorkspace(context.Background(), store.Workspace{Name: "globex", CreatedAt: time.Now()})
	must(t, err)
	s.key = s.newKey(other, account.Admin)
	for _, path := range []string{"/imports/" + id, "/imports/" + id + "?wait=1s", "/imports/" + id + "/errors", "/imports/" + id + "/errors?severity=warning",
		"/imports/" + id + "/errors.csv", "/imports/" + id + "/batches", "/imports/" + id + "/summary", "/imports/" + id + "/changes",
		"/imports/" + id + "/changes.csv", "/imports/" + id + "/causes", "/imports/" + id + "/rows", "/imports/" + id + "/rows/2", "/imports/" + id + "/rows.csv",
		"/imports/" + id + "/failed-rows.csv", "/imports/" + id + "/fixes", "/products/3760000000000", "/products/sku/G-1",
		"/products/" + item, "/products/" + item + "/history"} {
		status, there := s.call("GET", path, nil)
		_, nowhere := s.call("GET", strings.NewReplacer(id, "imp_00000000000000000000000000", "3760000000000", "96385074", "G-1", "G-2", item, noItem).Replace(path), nil)
		if status != http.StatusNotFound || there["error"] != "not_found" || tell(there, id, item) != tell(nowhere, "imp_00000000000000000000000000", noItem) {
			t.Errorf("GET %s: %d %v; of what does not exist: %v", path, status, there, nowhere)
		}
	}
	for request, body := range map[string]string{"POST pause": "", "POST resume": "", "POST terminate": "", "POST cancel": "", "POST apply": `{"fingerprint":"x"}`,
		"POST plan": "", "POST retry": "", "POST undo": "", "PATCH rows/2": `{"cells":{"Title":"x"}}`, "DELETE rows/2/corrections": "",
		"POST fixes": `{"code":"x","column":"Title","from":"x","to":"y"}`, "DELETE fixes/1": ""} {
		verb, path, _ := strings.Cut(request, " ")
		if status, o := s.call(verb, "/imports/"+id+"/"+path, strings.NewReader(body)); status != http.StatusNotFound {
			t.Errorf("%s: %d %v", request, status, o)
		}
	}
	if status, o := s.call("POST", "/imports/"+id+"/corrections", strings.NewReader("tallyman_row\n"), "Content-Type", "text/csv"); status != http.StatusNotFound {
		t.Errorf("corrections: %d %v", status, o)
	}
	for _, method := range []string{"PATCH", "PUT", "DELETE"} {
		if status, o := s.call(method, "/products/"+item, strings.NewReader(`{"title":"Mine"}`)); status != http.StatusNotFound {
			t.Errorf("%s: %d %v", method, status, o)
		}
	}
	for _, path := range []string{"/imports", "/products", "/products?sku=G-1", "/products?ean=3760000000000", "/imports?status=completed"} {
		if _, o := s.call("GET", path, nil); len(o.list("data")) != 0 {
			t.Errorf("GET %s shows %v", path, o)
		}
	}
}

// tell is what an error tells, but for what names the request.
func tell(o object, id, item string) string {
	return strings.NewReplacer(id, "ID", item, "ID").Replace(fmt.Sprint(o["error"], o["message"], o["details"]))
}

// noItem is the id of no item.
const noItem = "00000000-0000-7000-8000-000000000000"

func TestRevokedKeyEndsAtOnce(t *testing.T) {
	s := openShop(t)
	keys, err := s.db.Keys(context.Background(), s.ws.WS)
	must(t, err)
	if status, _ := s.call("GET", "/imports", nil); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	must(t, s.db.RevokeKey(context.Background(), s.ws.WS, keys[0].ID, time.Now()))
	if status, o := s.call("GET", "/imports", nil); status != http.StatusUnauthorized || o["error"] != "invalid_api_key" {
		t.Errorf("after: %d %v", status, o)
	}
}

// TestUploadCutOff: half an upload leaves no import and no product.
func TestUploadCutOff(t *testing.T) {
	s := openShop(t)
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), rest.Prefix))
	must(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n", rest.Prefix, s.key)
	fmt.Fprint(conn, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nSKU,Title\nA,B\n")
	must(t, conn.(*net.TCPConn).CloseWrite())
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", res.StatusCode)
	}
	if _, o := s.call("GET", "/imports", nil); len(o.list("data")) != 0 {
		t.Errorf("imports: %v", o)
	}
}

// TestCurlExamples runs the examples of the API's documentation as they stand
// there, with address, key and id replaced.
func TestCurlExamples(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("these examples are for curl: %v", err)
	}
	s := openShop(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "catalog.csv"), []byte("EAN,Titre,Prix\n3760000000000,Graines,29.90\ninvalid-ean,Nichoir,5\n"), 0o600))
	run := func(example, id string) object {
		t.Helper()
		script := strings.NewReplacer("https://api.productsmanager.app/api/v1", s.url, "{api_key}", s.key, "imp_01HQ...", id, "curl", curl+" -sS").Replace(example)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		var o object
		if err != nil || json.Unmarshal(out, &o) != nil {
			t.Fatalf("%s\n%v: %s", script, err, out)
		}
		return o
	}
	o := run(`curl -X POST https://api.productsmanager.app/api/v1/imports \
  -H "Authorization: Bearer {api_key}" \
  -F "file=@catalog.csv" \
  -F "format=csv" \
  -F 'mapping={"EAN":"ean","Titre":"title","Prix":"price"}'`, "")
	s.expect(o, "status", "pending", "format", "csv", "total_rows", 0)
	id := o["id"].(string)
	s.await(id)
	o = run(`curl https://api.productsmanager.app/api/v1/imports/imp_01HQ... \
  -H "Authorization: Bearer {api_key}"`, id)
	s.expect(o, "id", id, "status", "completed_with_errors", "total_rows", 2, "processed_rows", 2, "created_rows", 1, "updated_rows", 0, "error_rows", 1)
	o = run(`curl https://api.productsmanager.app/api/v1/imports/imp_01HQ.../errors \
  -H "Authorization: Bearer {api_key}"`, id)
	s.expect(o.list("data")[0], "row", 3, "ean", "invalid-ean", "error", "validation_error", "message", "Invalid EAN format.")
}
