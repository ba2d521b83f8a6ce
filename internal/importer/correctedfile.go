package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"tallyman/internal/catalog"
	"tallyman/internal/tabular"
)

// correctedFile is an uploaded file of corrected rows, in the scratch folder until
// it is closed.
type correctedFile struct {
	scratchFile
	layout *tabular.Layout
	limits tabular.Limits
	dec    tabular.Decoder
	rec    tabular.Record
}

// scratchFile is a file in the scratch folder that is gone when it is closed.
type scratchFile struct {
	*os.File
	size int64
}

func (f scratchFile) Size() int64 { return f.size }

func (f scratchFile) Close() error {
	err := f.File.Close()
	return errors.Join(err, os.Remove(f.Name()))
}

// newScratchFile keeps what write writes.
func (s *Service) newScratchFile(write func(io.Writer) error) (scratchFile, error) {
	file, err := os.CreateTemp(s.cfg.ScratchDir, "corrections-*")
	if err != nil {
		return scratchFile{}, fmt.Errorf("create scratch file: %w", err)
	}
	f := scratchFile{File: file}
	err = write(file)
	if err == nil {
		f.size, err = file.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		f.Close()
		return scratchFile{}, err
	}
	return f, nil
}

// receiveCorrections keeps an uploaded file and finds out how it is read.
func (s *Service) receiveCorrections(ctx context.Context, name string, body io.Reader) (*correctedFile, error) {
	file, err := s.newScratchFile(func(w io.Writer) error {
		_, err := io.Copy(w, s.bounded(body))
		if err != nil && catalog.AsFault(err) == nil {
			err = fmt.Errorf("receive corrections: %w", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f := &correctedFile{scratchFile: file, limits: s.correctionLimits()}
	if err := s.detectCorrections(ctx, f, name); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// correctionLimits leave room for what the download adds to a row.
func (s *Service) correctionLimits() tabular.Limits {
	l := s.cfg.Limits
	if l.RecordBytes <= 0 {
		l.RecordBytes = tabular.DefaultRecordBytes
	}
	l.RecordBytes = 2*l.RecordBytes + 64<<10
	return l
}

func (s *Service) detectCorrections(ctx context.Context, f *correctedFile, name string) error {
	head, err := readHead(f)
	if err != nil {
		return fmt.Errorf("read corrections: %w", err)
	}
	if f.layout, err = tabular.Detect(head, f.size, name, tabular.DetectOptions{}); err != nil {
		return err
	}
	if f.layout.Format != tabular.CSV {
		return &catalog.Fault{Kind: catalog.KindRefused, Code: "unsupported_format",
			Message: fmt.Sprintf("The file is %s, in which corrections cannot be sent.", f.layout.Format), Hint: "Save it as CSV and upload that."}
	}
	if !tabular.NeedsSpool(f.layout) {
		return nil
	}
	spool, err := s.newScratchFile(func(w io.Writer) error {
		layout, err := tabular.Spool(ctx, f, f.layout, w)
		if err == nil {
			f.layout = layout
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		spool.Close()
		return fmt.Errorf("read corrections: %w", err)
	}
	f.scratchFile = spool
	return nil
}

// each calls fn with every record.
func (f *correctedFile) each(fn func(*tabular.Record) error) error {
	l := f.layout
	dec, err := tabular.Open(f, l, tabular.Section{Offset: l.DataOffset, Length: -1, FirstRow: l.DataRow, FirstLine: l.DataLine}, f.limits, nil)
	if err != nil {
		return err
	}
	var rec tabular.Record
	for {
		if err := dec.Next(&rec); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read corrections: %w", err)
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
}

// at returns the record at an offset. It is good until the next call. Records that
// are asked for in the order of the file are read in one go.
func (f *correctedFile) at(offset int64) (*tabular.Record, error) {
	if f.dec != nil {
		if next, _, _ := f.dec.Position(); next != offset {
			f.dec = nil
		}
	}
	if f.dec == nil {
		limits := f.limits
		limits.WindowBytes = confirmWindow
		var err error
		if f.dec, err = tabular.Open(f, f.layout, tabular.Section{Offset: offset, Length: -1, FirstRow: 1, FirstLine: 1}, limits, nil); err != nil {
			return nil, err
		}
	}
	if err := f.dec.Next(&f.rec); err != nil {
		return nil, fmt.Errorf("read corrections at byte %d: %w", offset, err)
	}
	return &f.rec, nil
}
