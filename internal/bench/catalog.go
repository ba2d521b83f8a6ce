package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tallyman/internal/bench/catalogen"
)

// catalog is the program's catalog in a data folder.
type catalog struct {
	program string
	data    string
}

func (c *catalog) database() string { return filepath.Join(c.data, "tallyman.db") }

// fieldOf is what a column of the files means, where its name does not say it.
var fieldOf = map[string]string{"model": "attributes.model", "quantity": "stock", "image_url": "images"}

func field(column string) string {
	if f, ok := fieldOf[column]; ok {
		return f
	}
	if key, ok := strings.CutPrefix(column, "attr_"); ok {
		return "attributes." + key
	}
	return column
}

// imported is what import --json says of an import, as far as it is of use here.
type imported struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Total     uint64 `json:"total_rows"`
	Processed uint64 `json:"processed_rows"`
	Failed    uint64 `json:"error_rows"`
}

// importFile imports a file in a process of its own and checks its counts.
func (c *catalog) importFile(ctx context.Context, file string, columns []string, want catalogen.Stats) (result, error) {
	args := []string{"import", file, "--data", c.data, "--json", "--quiet"}
	for _, column := range columns {
		args = append(args, "--map", column+"="+field(column))
	}
	u, err := execute(ctx, nil, c.program, args...)
	if err != nil {
		return result{}, err
	}
	imp, err := lastLine(u.stdout)
	if err != nil {
		return result{}, err
	}
	if imp.State != "done" || imp.Total != want.Records || imp.Processed != want.Records || imp.Failed != want.Bad {
		return result{}, fmt.Errorf("the import ended as %+v; the file has %d rows, %d of them bad", imp, want.Records, want.Bad)
	}
	engine, err := c.engineTime(ctx, imp.ID)
	if err != nil {
		return result{}, err
	}
	return result{rows: want.Records, ours: u.wall, engine: engine, peak: u.peak, size: diskSize(c.database())}, nil
}

func lastLine(stdout []byte) (imp imported, err error) {
	line := bytes.TrimSpace(stdout)
	if i := bytes.LastIndexByte(line, '\n'); i >= 0 {
		line = line[i+1:]
	}
	if err := json.Unmarshal(line, &imp); err != nil {
		return imp, fmt.Errorf("read the import's last line %q: %w", line, err)
	}
	return imp, nil
}

// engineTime is how long the import took in the program's own books.
func (c *catalog) engineTime(ctx context.Context, id string) (time.Duration, error) {
	u, err := shell(ctx, c.database(), fmt.Sprintf("SELECT completed_at - created_at FROM import WHERE id = '%s';", id))
	if err != nil {
		return 0, err
	}
	ms, err := strconv.ParseInt(string(bytes.TrimSpace(u.stdout)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the import's times: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
