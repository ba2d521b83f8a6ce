package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// writeText writes a text to the file that --out names.
func writeText(t *testing.T, path, text string) error {
	t.Helper()
	p := &program{stdout: &bytes.Buffer{}}
	return p.writeOut(t.Context(), path, forAll, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

// kindAt is what stands at a path itself.
func kindAt(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Type()
}

// A file is replaced whole or not at all, and leaves nothing beside it.
func TestOutReplacesAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "out.csv")
	for _, text := range []string{"first", "2nd"} {
		if err := writeText(t, file, text); err != nil {
			t.Fatal(err)
		}
		holds(t, file, text)
	}
	broken := errors.New("broken")
	err := (&program{}).writeOut(t.Context(), file, forAll, func(w io.Writer) error { return errors.Join(second(io.WriteString(w, "half")), broken) })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	holds(t, file, "2nd")
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("there is %v, %v", all, err)
	}
	if err := writeText(t, dir, "text"); err == nil {
		t.Error("a folder was written to")
	}
}

func second[T any](_ T, err error) error { return err }

// A link stays a link; what it names is written, be it there or not.
func TestOutFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := func(to, name string) string {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	link("real/deep", "folder")
	// Its .. is that of the folder which the other link names.
	if err := os.Symlink("../new.csv", filepath.Join(dir, "real", "deep", "up")); err != nil {
		t.Fatal(err)
	}
	for at, file := range map[string]string{
		link("real/a.csv", "relative"):                     "real/a.csv",
		link(filepath.Join(dir, "real/b.csv"), "absolute"): "real/b.csv",
		link("relative", "twice"):                          "real/a.csv",
		filepath.Join(dir, "folder", "up"):                 "real/new.csv",
	} {
		for _, text := range []string{"first " + at, "second " + at} {
			if err := writeText(t, at, text); err != nil {
				t.Fatal(err)
			}
			holds(t, filepath.Join(dir, file), text)
			if kindAt(t, at) != fs.ModeSymlink || kindAt(t, filepath.Join(dir, file)) != 0 {
				t.Errorf("%s is %s now", at, kindAt(t, at))
			}
		}
	}
	if err := writeText(t, link("circle", "circle"), "text"); err == nil {
		t.Error("a link to itself was written to")
	}
}

// A pipe is written to and stays one.
func TestOutWritesToAPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"pipe", "link"} {
		read := make(chan string, 1)
		go func() {
			text, err := os.ReadFile(pipe)
			read <- string(text) + fmtError(err)
		}()
		if err := writeText(t, filepath.Join(dir, at), "through "+at); err != nil {
			t.Fatal(err)
		}
		if kindAt(t, pipe) != fs.ModeNamedPipe {
			t.Fatalf("it is %s now", kindAt(t, pipe))
		}
		if got := <-read; got != "through "+at {
			t.Errorf("the reader got %q", got)
		}
	}
}

func fmtError(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whoever waits for a reader of a pipe can be told to give up: before there is one,
// and while it reads nothing.
func TestOutDoesNotWaitForEver(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.writeOut(gone, pipe, forAll, func(io.Writer) error { return errors.New("there is no reader") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("without a reader: %v", err)
	}
	lazy, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lazy.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = p.writeOut(ctx, pipe, forAll, func(w io.Writer) error {
		cancel()
		_, err := w.Write(make([]byte, 1<<20)) // more than a pipe holds
		return err
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a reader that reads nothing: %v", err)
	}
}

// A device is written to and stays one. The test makes one of its own: that which
// takes everything.
func TestOutWritesToADevice(t *testing.T) {
	device := filepath.Join(t.TempDir(), "void")
	if err := syscall.Mknod(device, syscall.S_IFCHR|0o600, 1<<8|3); err != nil {
		t.Logf("only the pipe of the other tests was tried: %v", err)
		return
	}
	err := writeText(t, device, "text")
	if kindAt(t, device) != fs.ModeDevice|fs.ModeCharDevice {
		t.Fatalf("it is %s now", kindAt(t, device))
	}
	// A file system may let nobody open devices.
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// A file that the shell has made standard output or standard error keeps what is in
// it, by whatever name --out calls it.
func TestOutKeepsWhatAStreamHolds(t *testing.T) {
	if _, err := os.Stat("/dev/fd"); err != nil {
		t.Skip("there is no /dev/fd")
	}
	for _, of := range []string{"stdout", "stderr", "neither"} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte("before;"), 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		p := &program{stdout: io.Discard, stderr: io.Discard}
		switch of {
		case "stdout":
			p.stdout = log
		case "stderr":
			p.stderr = log
		}
		err = p.writeOut(t.Context(), fmt.Sprintf("/dev/fd/%d", log.Fd()), forAll, func(w io.Writer) error {
			return second(io.WriteString(w, "text"))
		})
		if of == "neither" {
			if err == nil {
				t.Error("a file that is open was replaced")
			}
			holds(t, path, "before;")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", of, err)
		}
		holds(t, path, "before;text")
	}
}

// A file is no more for others than the one that it replaces, or than the umask
// says; what is for its owner alone is, whatever was there.
func TestOutStaysPrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	dir := t.TempDir()
	for name, c := range map[string]struct{ before, asked, want fs.FileMode }{
		"new":            {0, forAll, 0o640},
		"private":        {0o600, forAll, 0o600},
		"shared":         {0o664, forAll, 0o664},
		"a dump":         {0, forOwner, 0o600},
		"a shared dump":  {0o644, forOwner, 0o600},
		"a private dump": {0o400, forOwner, 0o400},
	} {
		path := filepath.Join(dir, name)
		if c.before != 0 {
			if err := errors.Join(os.WriteFile(path, nil, c.before), os.Chmod(path, c.before)); err != nil {
				t.Fatal(err)
			}
		}
		err := (&program{}).writeOut(t.Context(), path, c.asked, func(w io.Writer) error { return second(io.WriteString(w, "text")) })
		if err != nil {
			t.Fatal(err)
		}
		holds(t, path, "text")
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != c.want {
			t.Errorf("%s has %s, want %s", name, info.Mode().Perm(), c.want)
		}
	}
	if err := writeText(t, "", "text"); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("without a name: %v", err)
	}
}
