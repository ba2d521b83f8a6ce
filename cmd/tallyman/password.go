package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tallyman/internal/account"
	"tallyman/internal/store"
)

// passwordFlags say where a password comes from; without any, one is made.
type passwordFlags struct {
	PasswordStdin bool `help:"Read the password from the first line of stdin." xor:"password"`
	AskPassword   bool `help:"Ask for the password at the terminal, twice." xor:"password"`
}

// password is a password on its way to a user. made says that the program has made
// it, and so must show it.
type password struct {
	text string
	made bool
}

// get returns the password.
func (f *passwordFlags) get(ctx context.Context, p *program, accounts *account.Accounts) (password, error) {
	switch {
	case f.PasswordStdin:
		// Whatever is too long is refused as such.
		text := line(io.LimitReader(p.stdin, 4*account.MaxPassword))
		return password{text: strings.TrimSuffix(text, "\r")}, nil
	case f.AskPassword:
		return p.askPassword(ctx)
	}
	text, err := accounts.NewPassword()
	return password{text: text, made: true}, err
}

// show shows the user, and the password where nobody knows it yet.
func (pw password) show(p *program, u store.User, asJSON bool, sentence string) error {
	switch {
	case asJSON:
		o := showUser(u)
		if pw.made {
			o.Password = pw.text
		}
		return printJSON(p.stdout, o)
	case !pw.made:
		_, err := fmt.Fprintln(p.stdout, sentence)
		return err
	}
	// Alone on stdout, the password can be taken by a script as it is.
	fmt.Fprintf(p.stderr, "%s This is the only time that the password is shown.\n", sentence)
	_, err := fmt.Fprintln(p.stdout, pw.text)
	return err
}

// askPassword asks the person at the terminal, who does not see what is typed.
func (p *program) askPassword(ctx context.Context) (password, error) {
	if !p.asks {
		return password{}, errors.New("there is no terminal to ask at; send the password with --password-stdin")
	}
	if terminal, ok := p.stdin.(*os.File); ok {
		show, err := hideTyping(terminal)
		if err != nil {
			return password{}, fmt.Errorf("hide what is typed: %w; send the password with --password-stdin", err)
		}
		defer show()
	}
	first, err := p.askHidden(ctx, "Password: ")
	if err != nil {
		return password{}, err
	}
	again, err := p.askHidden(ctx, "The same again: ")
	if err != nil {
		return password{}, err
	}
	if first != again {
		return password{}, errors.New("the two passwords are not the same; nothing was changed")
	}
	return password{text: first}, nil
}

// askHidden asks for one line.
func (p *program) askHidden(ctx context.Context, question string) (string, error) {
	fmt.Fprint(p.stderr, question)
	defer fmt.Fprintln(p.stderr) // the line break that was typed is hidden too
	said := make(chan string, 1)
	go func() { said <- line(p.stdin) }()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case text := <-said:
		return strings.TrimSuffix(text, "\r"), nil
	}
}
