package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"tallyman/internal/catalog"
)

func TestOnlyOneOwner(t *testing.T) {
	f := folder(t.TempDir())
	lock, err := f.lock("serve")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.lock("import"); !errors.Is(err, errLocked) {
		t.Fatalf("a second owner: %v", err)
	}
	if o, ok := f.owner(); !ok || o.PID != os.Getpid() || o.Command != "serve" {
		t.Errorf("owner %+v %t", o, ok)
	}
	if err := lock.unlock(); err != nil {
		t.Fatal(err)
	}
	if lock, err = f.lock("import"); err != nil {
		t.Fatalf("after the first one: %v", err)
	}
	lock.unlock()
}

// TestServerFileOfADeadServer checks that what a killed server left is not
// believed once another process has the folder.
func TestServerFileOfADeadServer(t *testing.T) {
	f := folder(t.TempDir())
	lock, err := f.lock("import")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.unlock()
	if err := f.writeServer(serverFile{URL: "http://127.0.0.1:1", PID: os.Getpid() + 1, Token: "t"}); err != nil {
		t.Fatal(err)
	}
	if s, ok := f.server(); ok {
		t.Errorf("believed %+v", s)
	}
	if err := f.writeServer(serverFile{URL: "http://127.0.0.1:1", PID: os.Getpid(), Token: "t"}); err != nil {
		t.Fatal(err)
	}
	if s, ok := f.server(); !ok || s.Token != "t" {
		t.Errorf("not believed: %+v", s)
	}
}

func TestScratchIsSweptByTheOwner(t *testing.T) {
	f := folder(t.TempDir())
	if err := f.make(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(f.scratch(), "left", "over")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.sweepScratch(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(f.scratch()); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestLocalURL(t *testing.T) {
	for listen, want := range map[string]string{"127.0.0.1": "http://127.0.0.1:80", "0.0.0.0": "http://127.0.0.1:80", "::": "http://127.0.0.1:80", "::1": "http://[::1]:80"} {
		if got := localURL(&net.TCPAddr{IP: net.ParseIP(listen), Port: 80}); got != want {
			t.Errorf("%s: %s, not %s", listen, got, want)
		}
	}
}

// TestLocalToken checks that the token of the server file opens every workspace
// that there is, and that nothing near it does.
func TestLocalToken(t *testing.T) {
	ctx := context.Background()
	d := testDesk(t, nil)
	l := newLocalToken(d.node.accounts)
	p, err := l.Authenticate(ctx, localKey(l.token, "default"))
	if err != nil || p.WS.Name != "default" {
		t.Errorf("the token: %v %+v", err, p)
	}
	for _, wrong := range []string{"", l.token, localKey(l.token, "nosuch"), localKey(l.token+"x", "default"), localKey("", "default"), "." + l.token} {
		if p, err := l.Authenticate(ctx, wrong); catalog.AsFault(err) == nil {
			t.Errorf("%q let %+v in: %v", wrong, p, err)
		}
	}
}

func TestQuoted(t *testing.T) {
	for arg, want := range map[string]string{"/a/b": "/a/b", "/a b": "'/a b'", "it's": `'it'\''s'`} {
		if got := quoted(arg); got != want {
			t.Errorf("quoted(%q) = %s, not %s", arg, got, want)
		}
	}
}

// TestMapFlag checks that a column may hold an equals sign.
func TestMapFlag(t *testing.T) {
	c := fileFlags{File: "a/b.csv", Map: []string{"a=b=ean", "Preis, netto=price"}, Delimiter: `\t`, Currency: "eur"}
	up, err := c.upload()
	if err != nil {
		t.Fatal(err)
	}
	if up.mapping[0] != (columnField{"a=b", "ean"}) || up.mapping[1] != (columnField{"Preis, netto", "price"}) ||
		up.name != "b.csv" || up.delimiter != "\t" || up.currency != "EUR" {
		t.Errorf("%+v", up)
	}
	for _, wrong := range []string{"", "a", "=ean", "a="} {
		if _, err := (&fileFlags{Map: []string{wrong}}).upload(); err == nil {
			t.Errorf("--map %q was taken", wrong)
		}
	}
}

// TestReport checks which errors end the program with which code, and that a
// fault speaks for itself.
func TestReport(t *testing.T) {
	fault := &catalog.Fault{Kind: catalog.KindRefused, Message: "Message.", Hint: "Hint.", Fields: map[string][]string{"f": {"is wrong"}}}
	for name, c := range map[string]struct {
		err  error
		code int
		said string
	}{
		"nothing":     {nil, 0, ""},
		"row errors":  {&exit{code: exitErrors}, 2, ""},
		"refused":     {refused(fault), 3, "tallyman: Message. f: is wrong Hint.\n"},
		"listed":      {&exit{code: exitRefused, err: fault, see: "there"}, 3, "tallyman: Message. f: is wrong Hint.\nSee: there\n"},
		"not a file":  {refused(io.ErrUnexpectedEOF), 1, "tallyman: unexpected EOF\n"},
		"interrupted": {context.Canceled, 1, "tallyman: interrupted\n"},
		"conflict":    {refused(&catalog.Fault{Kind: catalog.KindConflict, Message: "No."}), 1, "tallyman: No.\n"},
	} {
		var said bytes.Buffer
		p := &program{stderr: &said}
		if code := p.report(c.err); code != c.code || said.String() != c.said {
			t.Errorf("%s: code %d, said %q", name, code, said.String())
		}
	}
}
