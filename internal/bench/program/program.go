package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Program is the built program at work on one data folder.
type Program struct {
	Binary string
	Data   string
	// Database and Files take the place of what is in the folder, as the flags of
	// these names do, where they are not "".
	Database, Files string
}

// Embedded is the path of the folder's database.
func (p *Program) Embedded() string { return filepath.Join(p.Data, "tallyman.db") }

// Import is what the program says of an import, as far as it is of use here.
type Import struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Total     uint64 `json:"total_rows"`
	Processed uint64 `json:"processed_rows"`
	Created   uint64 `json:"created_rows"`
	Updated   uint64 `json:"updated_rows"`
	Unchanged uint64 `json:"unchanged_rows"`
	Deleted   uint64 `json:"deleted_rows"`
	Failed    uint64 `json:"error_rows"`
	Skipped   uint64 `json:"skipped_rows"`
	Held      uint64 `json:"held_rows"`
}

// Counts are how rows ended, or in a plan would end.
type Counts struct {
	Created   uint64 `json:"created"`
	Updated   uint64 `json:"updated"`
	Unchanged uint64 `json:"unchanged"`
	Deleted   uint64 `json:"deleted"`
	Failed    uint64 `json:"failed"`
	Skipped   uint64 `json:"skipped"`
	Held      uint64 `json:"held"`
}

// Counts are how the import's rows ended.
func (i *Import) Counts() Counts {
	return Counts{Created: i.Created, Updated: i.Updated, Unchanged: i.Unchanged, Deleted: i.Deleted,
		Failed: i.Failed, Skipped: i.Skipped, Held: i.Held}
}

// Rows is the sum.
func (c Counts) Rows() uint64 {
	return c.Created + c.Updated + c.Unchanged + c.Deleted + c.Failed + c.Skipped + c.Held
}

// Plan is what the program says of a plan.
type Plan struct {
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
	Counts
}

// fieldOf is what a column of the generated files means, where its name does not
// say it.
var fieldOf = map[string]string{"model": "attributes.model", "quantity": "stock", "image_url": "images"}

// Field is the catalog's field for a column of a generated file.
func Field(column string) string {
	if f, ok := fieldOf[column]; ok {
		return f
	}
	if key, ok := strings.CutPrefix(column, "attr_"); ok {
		return "attributes." + key
	}
	return column
}

// Import imports a generated file with these columns and follows it to its end.
func (p *Program) Import(ctx context.Context, file string, columns []string) (Import, Usage, error) {
	return reported[Import](p.fileCommand(ctx, "import", file, columns))
}

// Plan makes the plan of a generated file.
func (p *Program) Plan(ctx context.Context, file string, columns []string) (Plan, Usage, error) {
	return reported[Plan](p.fileCommand(ctx, "plan", file, columns))
}

// Apply applies a plan.
func (p *Program) Apply(ctx context.Context, plan Plan) (Import, Usage, error) {
	return reported[Import](p.Run(ctx, "apply", plan.ID, "--fingerprint", plan.Fingerprint, "--json", "--quiet"))
}

// Undo takes an import back and returns the import that did so.
func (p *Program) Undo(ctx context.Context, id string) (Import, Usage, error) {
	return reported[Import](p.Run(ctx, "undo", id, "--json", "--quiet"))
}

func (p *Program) fileCommand(ctx context.Context, command, file string, columns []string) (Usage, error) {
	args := []string{command, file, "--json", "--quiet"}
	for _, column := range columns {
		args = append(args, "--map", column+"="+Field(column))
	}
	return p.Run(ctx, args...)
}

// Run runs a command on the data folder to its end.
func (p *Program) Run(ctx context.Context, args ...string) (Usage, error) {
	return Run(ctx, nil, p.Binary, p.at(args)...)
}

// RunTo is Run with what the command prints sent to stdout as it comes.
func (p *Program) RunTo(ctx context.Context, stdout io.Writer, args ...string) (Usage, error) {
	return RunTo(ctx, nil, stdout, p.Binary, p.at(args)...)
}

func (p *Program) at(args []string) []string {
	args = append(args, "--data", p.Data)
	if p.Database != "" {
		args = append(args, "--database", p.Database)
	}
	if p.Files != "" && args[0] != "keys" { // which has nothing to do with files
		args = append(args, "--files", p.Files)
	}
	return args
}

// reported reads the JSON object on the last line that a command printed.
func reported[T any](u Usage, err error) (T, Usage, error) {
	var v T
	if err != nil {
		return v, u, err
	}
	line := bytes.TrimSpace(u.Stdout)
	if i := bytes.LastIndexByte(line, '\n'); i >= 0 {
		line = line[i+1:]
	}
	if err := json.Unmarshal(line, &v); err != nil {
		return v, u, fmt.Errorf("read the command's last line %q: %w", line, err)
	}
	return v, u, nil
}

// EngineTime is how long an import took in the program's own books.
func (p *Program) EngineTime(ctx context.Context, id string) (time.Duration, error) {
	ms, err := p.Number(ctx, fmt.Sprintf("SELECT completed_at - created_at FROM import WHERE id = '%s';", id))
	return time.Duration(ms) * time.Millisecond, err
}

// Number asks the program's database for one number.
func (p *Program) Number(ctx context.Context, query string) (int64, error) {
	u, err := Shell(ctx, p.Embedded(), query)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(u.Stdout)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s gives no number: %w", query, err)
	}
	return n, nil
}
