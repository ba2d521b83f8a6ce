package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// ask asks the person at the terminal; anything but a yes is a no.
func (p *program) ask(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	said := make(chan string, 1)
	go func() {
		said <- line(p.stdin)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.stderr)
		return false, ctx.Err()
	case answer := <-said:
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		}
		return false, nil
	}
}

// line reads one line and nothing behind it, which may answer the next question.
// What cannot be read is no answer.
func line(r io.Reader) string {
	var said []byte
	for b := make([]byte, 1); ; {
		if n, err := r.Read(b); n == 0 || err != nil || b[0] == '\n' {
			return string(said)
		}
		said = append(said, b[0])
	}
}
