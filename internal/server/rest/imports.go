package rest

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/internal/account"
	"tallyman/internal/ledger"
	"tallyman/internal/server"
	"tallyman/internal/store"
)

// maxWait bounds ?wait=, so that no proxy between takes the silence for death.
const maxWait = time.Minute

// imports registers everything under /imports.
func (d *door) imports(api huma.API) {
	d.create(api)
	operation(d, api, huma.Operation{
		OperationID: "list-imports", Method: http.MethodGet, Path: "/imports", Tags: []string{tagImports},
		Summary:     "List imports",
		Description: "Lists the imports of the workspace, newest first, refused uploads included.",
	}, account.Read, d.listImports)
	operation(d, api, huma.Operation{
		OperationID: "get-import", Method: http.MethodGet, Path: "/imports/{id}", Tags: []string{tagImports},
		Summary:     "Get import status",
		Description: "Returns the current status and progress of an import.",
	}, account.Read, d.getImport)
	operation(d, api, huma.Operation{
		OperationID: "list-import-batches", Method: http.MethodGet, Path: "/imports/{id}/batches", Tags: []string{tagImports},
		Summary:     "List an import's batches",
		Description: "Lists the runs of rows that are worked on as one, in the order of passes and of the file.",
	}, account.Read, d.listBatches)
	d.control(api, "pause", "Pause an import", "Stops it within moments; what is done stays done, and nothing moves until it is resumed.", d.cfg.Imports.Pause)
	d.control(api, "resume", "Resume an import", "Lets a paused import go on where it stopped.", d.cfg.Imports.Resume)
	d.control(api, "terminate", "Terminate an import", "Stops it for good; what is done stays done. A plan that waits to be applied is given up.", d.cfg.Imports.Terminate)
	d.control(api, "cancel", "Cancel an import", "Another word for terminate.", d.cfg.Imports.Terminate)
	d.passes(api)
	d.changes(api)
	d.problems(api)
	d.rows(api)
	d.corrections(api)
}

type ImportPath struct {
	ID string `path:"id" doc:"The import's id" example:"imp_01HQ3K5V8Z6Y4X2W0T1R3P5N7M"`
}

type importAnswer struct{ Body Import }

type getImportRequest struct {
	ImportPath
	Wait string `query:"wait" doc:"Answer when the import's state changes, or after this time at the latest: 30s, or seconds as a number; at most 60s" example:"30s"`
}

func (d *door) getImport(ctx context.Context, p account.Principal, in *getImportRequest) (*importAnswer, error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	imp, err := d.cfg.Imports.Import(ctx, p.WS, in.ID)
	if err == nil && wait > 0 {
		imp, err = d.await(ctx, p.WS, imp, wait)
	}
	if err != nil {
		return nil, err
	}
	return &importAnswer{Body: d.object(ctx, imp)}, nil
}

// parseWait reads a duration, or a number of seconds.
func parseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(s)
	if n, nerr := strconv.ParseUint(s, 10, 16); nerr == nil {
		wait, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || wait < 0 {
		return 0, invalidField("wait", "Give a time such as 30s.")
	}
	return min(wait, maxWait), nil
}

// await returns the import once its state or status is another one, it has
// ended or waits for its plan to be applied, the time is up, or the server is told to stop.
func (d *door) await(ctx context.Context, ws store.Workspace, imp store.Import, wait time.Duration) (store.Import, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer stopOnClosing(waiting, cancel)()
	state, status := imp.State, statusOf(&imp)
	for !imp.State.Ended() && imp.State != store.Planned && imp.State == state && statusOf(&imp) == status && waiting.Err() == nil {
		var err error
		if imp, err = d.cfg.Imports.Wait(waiting, ws, imp.ID, imp.Version); err != nil {
			return imp, err
		}
	}
	return imp, nil
}

// stopOnClosing calls cancel when the server is told to stop. The function it
// returns ends the watch.
func stopOnClosing(ctx context.Context, cancel context.CancelFunc) func() {
	closing := server.Closing(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case <-closing:
			cancel()
		case <-done:
		}
	}()
	return func() { close(done) }
}

type listImportsRequest struct {
	Paging
	Status string `query:"status" enum:"pending,processing,completed,completed_with_errors,failed" doc:"Only imports of this status"`
	State  string `query:"state" enum:"received,slicing,planning,planned,running,pausing,paused,terminating,terminated,stopped,rolling_back,rolled_back,done,refused,failed" doc:"Only imports in this state"`
	Source string `query:"source" doc:"Only imports of this source"`
	Feed   string `query:"feed" doc:"Only imports of this feed"`
	SHA256 string `query:"sha256" doc:"Only imports of a file with this hash"`
	UndoOf string `query:"undo_of" doc:"Only imports that take this one back"`
}

type listImportsAnswer struct{ Body List[Import] }

func (d *door) listImports(ctx context.Context, p account.Principal, in *listImportsRequest) (*listImportsAnswer, error) {
	f := store.ImportFilter{State: store.State(in.State), Source: in.Source, Feed: in.Feed, SHA256: in.SHA256, UndoOf: in.UndoOf}
	list := d.cfg.Imports.Imports
	if in.Status != "" {
		list = d.importsOfStatus(in.Status)
	}
	imps, total, err := list(ctx, p.WS, f, in.span())
	if err != nil {
		return nil, err
	}
	out := &listImportsAnswer{}
	out.Body.Data = make([]Import, len(imps))
	out.Body.Meta = in.meta(total)
	for i, imp := range imps {
		out.Body.Data[i] = d.object(ctx, imp)
	}
	return out, nil
}

// importsOfStatus returns a lister of the imports that the door calls by a
// status. A status is several states, or a state and a tally, which no filter of
// the store says; so the workspace's imports are looked through, newest first.
func (d *door) importsOfStatus(status string) func(context.Context, store.Workspace, store.ImportFilter, store.Range) ([]store.Import, int, error) {
	const atOnce = 500
	return func(ctx context.Context, ws store.Workspace, f store.ImportFilter, r store.Range) ([]store.Import, int, error) {
		if states := statesOf[status]; f.State == "" && len(states) == 1 {
			f.State = states[0]
		}
		var found []store.Import
		total := 0
		for offset := 0; ; offset += atOnce {
			imps, all, err := d.cfg.Imports.Imports(ctx, ws, f, store.Range{Offset: offset, Limit: atOnce})
			if err != nil {
				return nil, 0, err
			}
			for i := range imps {
				if statusOf(&imps[i]) != status {
					continue
				}
				if total >= r.Offset && len(found) < r.Limit {
					found = append(found, imps[i])
				}
				total++
			}
			if offset+atOnce >= all {
				return found, total, nil
			}
		}
	}
}

type listBatchesAnswer struct{ Body List[Batch] }

type listBatchesRequest struct {
	ImportPath
	Paging
	Pass string `query:"pass" doc:"Only those of this run over the rows, such as plan; those of all runs that write if omitted" example:"apply"`
}

func (d *door) listBatches(ctx context.Context, p account.Principal, in *listBatchesRequest) (*listBatchesAnswer, error) {
	batches, err := d.cfg.Imports.Batches(ctx, p.WS, in.ID, ledger.Pass(in.Pass))
	if err != nil {
		return nil, err
	}
	out := &listBatchesAnswer{}
	out.Body.Meta = in.meta(len(batches))
	r := in.span()
	from := min(r.Offset, len(batches))
	to := min(from+r.Limit, len(batches))
	out.Body.Data = make([]Batch, 0, to-from)
	for i := range batches[from:to] {
		out.Body.Data = append(out.Body.Data, batchObject(&batches[from+i]))
	}
	return out, nil
}

// control registers an operation that moves an import.
func (d *door) control(api huma.API, verb, summary, description string, do func(context.Context, store.Workspace, string) (store.Import, error)) {
	operation(d, api, failing(huma.Operation{
		OperationID: verb + "-import", Method: http.MethodPost, Path: "/imports/{id}/" + verb, Tags: []string{tagImports},
		Summary: summary, Description: description, DefaultStatus: http.StatusOK,
	}, map[string]string{"409": "wrong_state: the import is not in a state that allows this"}), account.Import, func(ctx context.Context, p account.Principal, in *ImportPath) (*importAnswer, error) {
		return d.moved(ctx)(do(ctx, p.WS, in.ID))
	})
}
