package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// hideTyping keeps a terminal from showing what is typed until show is called.
func hideTyping(terminal *os.File) (show func(), err error) {
	console := windows.Handle(terminal.Fd())
	var was uint32
	if err := windows.GetConsoleMode(console, &was); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, was&^windows.ENABLE_ECHO_INPUT); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(console, was) }, nil
}
