package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Modes of files that commands write: what a person writes down is theirs to
// share as their umask says, unlike the data folder; what holds hashes of secrets is
// for its owner.
const (
	forAll   fs.FileMode = 0o666
	forOwner fs.FileMode = 0o600
)

// writeOut writes the file that --out names, - for standard output. A file is seen
// whole or not at all, and stays as private as it was; behind a symbolic link it is
// the one that the link names. A device or a pipe stays what it is, and is written
// to, and so is a file that is one of the program's streams: what a shell has put
// there before must stay.
func (p *program) writeOut(ctx context.Context, path string, mode fs.FileMode, write func(io.Writer) error) error {
	if path == "-" {
		return buffered(p.stdout, write)
	}
	if path == "" {
		return errors.New("write file: --out names none; - is standard output")
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("write file: %s is a folder", path)
	case err == nil && !info.Mode().IsRegular():
		return writeInto(ctx, path, write)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write file: %w", err)
	}
	if stream := p.streamOf(info); stream != nil {
		return buffered(stream, write)
	}
	place, err := behindLinks(path)
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return replaceFile(place, modeOf(info, mode), write)
}

// streamOf returns the stream that writes to a file; nil for none.
func (p *program) streamOf(info fs.FileInfo) io.Writer {
	if info == nil {
		return nil
	}
	for _, w := range []io.Writer{p.stdout, p.stderr} {
		stream, isFile := w.(*os.File)
		if !isFile {
			continue
		}
		if its, err := stream.Stat(); err == nil && os.SameFile(its, info) {
			return stream
		}
	}
	return nil
}

// outMode is of a file that is to be written.
type outMode struct {
	made fs.FileMode // where it is made; the umask takes its part
	kept fs.FileMode // of the one that it replaces; 0 for none
}

// modeOf is the mode of a file in the place of one that may be there.
func modeOf(info fs.FileInfo, mode fs.FileMode) outMode {
	if info == nil {
		return outMode{made: mode}
	}
	kept := info.Mode().Perm() & mode
	return outMode{made: forOwner, kept: kept}
}

// buffered hands a stream on in large pieces.
func buffered(w io.Writer, write func(io.Writer) error) error {
	out := bufio.NewWriter(w)
	err := write(out)
	if last := out.Flush(); err == nil {
		err = last
	}
	return err
}

// replaceFile writes a file beside its place and moves it there.
func replaceFile(path string, mode outMode, write func(io.Writer) error) error {
	tmp, err := createBeside(path, mode.made)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	defer os.Remove(tmp.Name())
	err = write(tmp)
	if err == nil && mode.kept != 0 {
		err = tmp.Chmod(mode.kept)
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// createBeside makes a file of a name of its own in the folder of another.
func createBeside(path string, mode fs.FileMode) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
}

// maxLinks is how many symbolic links are followed one after the other.
const maxLinks = 40

// behindLinks is where the file of a path is, or is to be: a link may name one that
// is not there yet.
func behindLinks(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		if folder == openFiles() {
			return "", fmt.Errorf("%s is a file that is open already; redirect standard output to it", path)
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(folder, to)
		}
		path = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// openFiles is where Linux lists the files that this process has open, as links.
func openFiles() string { return fmt.Sprintf("/proc/%d/fd", os.Getpid()) }

// writeInto writes to what is there. A pipe is opened once somebody reads it, and
// waits for its reader; an end of ctx ends that.
func writeInto(ctx context.Context, path string, write func(io.Writer) error) error {
	f, err := openInto(ctx, path)
	if err != nil {
		return fmt.Errorf("write to %s: %w", path, err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = f.SetWriteDeadline(time.Now()) // devices that never wait have none
	})
	defer stop()
	return errors.Join(buffered(f, write), f.Close())
}

func openInto(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		done <- opened{f, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case o := <-done:
		return o.file, o.err
	}
}
