package main

import (
	"context"
	"errors"
	"io"
	"testing"
)

func TestAskPassword(t *testing.T) {
	for typed, want := range map[string]string{
		"correct horse\ncorrect horse\n":     "correct horse",
		"correct horse\r\ncorrect horse\r\n": "correct horse",
		" blanks stay \n blanks stay \n":     " blanks stay ",
		"correct horse\ncorrect house\n":     "",
		"correct horse\n":                    "",
	} {
		p, out, said := atTerminal(typed)
		pw, err := p.askPassword(context.Background())
		if pw.text != want || (err == nil) != (want != "") || pw.made {
			t.Errorf("%q: %+v, %v, want %q", typed, pw, err, want)
		}
		if said.String() != "Password: \nThe same again: \n" || out.Len() > 0 {
			t.Errorf("asked %q, printed %q", said, out)
		}
	}
	p, _, _ := atTerminal("")
	unread, w := io.Pipe()
	defer w.Close()
	p.stdin = unread
	ctx, interrupt := context.WithCancel(context.Background())
	interrupt()
	if _, err := p.askPassword(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	p.asks = false
	if _, err := p.askPassword(context.Background()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("without a terminal: %v", err)
	}
}
