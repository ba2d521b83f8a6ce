package main

import (
	"context"
	"fmt"

	"tallyman/internal/bench/catalogen"
	"tallyman/internal/bench/program"
)

// importFile imports a file in a process of its own and checks its counts.
func importFile(ctx context.Context, p *program.Program, file string, columns []string, want catalogen.Stats) (result, error) {
	imp, u, err := p.Import(ctx, file, columns)
	if err != nil {
		return result{}, err
	}
	if imp.State != "done" || imp.Total != want.Records || imp.Processed != want.Records || imp.Failed != want.Bad {
		return result{}, fmt.Errorf("the import ended as %+v; the file has %d rows, %d of them bad", imp, want.Records, want.Bad)
	}
	engine, err := p.EngineTime(ctx, imp.ID)
	if err != nil {
		return result{}, err
	}
	return result{rows: want.Records, ours: u.Wall, engine: engine, peak: u.Peak, size: program.DiskSize(p.Embedded()), id: imp.ID}, nil
}
