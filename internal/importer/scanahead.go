package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"tallyman/internal/jobs"
	"tallyman/internal/tabular"
)

// Records come to the scan in blocks. A block ends early where its records are
// large: of each its cells keep a piece of the file in memory.
const (
	scanRecords = 512
	scanBytes   = 1 << 20
	scanBlocks  = 3
)

// scanned are records on their way from the decoder to whoever notes their keys,
// in blocks that come back to be filled again.
type scanned struct {
	blocks, free chan []tabular.Record
	// err is why the last block was the last: io.EOF, or nil where the time was
	// over. It may be read once blocks is closed.
	err error
}

// scanAhead decodes records in a goroutine of its own until the step's time is over
// or the file ends. Once blocks is closed every record that was decoded has come,
// and the decoder stands behind the last of them. stop ends the goroutine and waits
// for it.
func (s *Service) scanAhead(ctx context.Context, dec tabular.Decoder) (ahead *scanned, stop func()) {
	ahead = &scanned{blocks: make(chan []tabular.Record), free: make(chan []tabular.Record, scanBlocks)}
	for range scanBlocks {
		ahead.free <- make([]tabular.Record, scanRecords)
	}
	until := time.Now().Add(s.cfg.SliceTime)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ahead.blocks)
		for ahead.err == nil {
			var block []tabular.Record
			select {
			case block = <-ahead.free:
			case <-ctx.Done():
				return
			}
			block, ahead.err = s.scanBlock(dec, block[:scanRecords])
			select {
			case ahead.blocks <- block:
			case <-ctx.Done():
				return
			}
			if time.Now().After(until) || jobs.Stopping(ctx) {
				return
			}
		}
	})
	return ahead, func() { cancel(); wg.Wait() }
}

// scanBlock decodes records into a block and returns those that it holds, which an
// error follows. A panic is made an error: on this goroutine it would end the
// process and, with its job tried again, the next one.
func (s *Service) scanBlock(dec tabular.Decoder, block []tabular.Record) (got []tabular.Record, err error) {
	n := 0
	defer func() {
		if v := recover(); v != nil {
			s.cfg.Log.Error("scanning panicked", "error", v, "stack", string(debug.Stack()))
			got, err = block[:n], fmt.Errorf("read record: panic: %v", v)
		}
	}()
	for n < len(block) && (n == 0 || block[n-1].Offset-block[0].Offset < scanBytes) {
		if err := dec.Next(&block[n]); errors.Is(err, io.EOF) {
			return block[:n], io.EOF
		} else if err != nil {
			return block[:n], fmt.Errorf("read record: %w", err)
		}
		n++
	}
	return block[:n], nil
}
