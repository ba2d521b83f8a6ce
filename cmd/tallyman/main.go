// Command tallyman imports product files into a catalog and accounts for every
// row of them.
//
// This is the one place that wires the parts of the program together (node.go),
// and the command line, which is a front door like the others: it translates
// words and decides nothing. One file is one subcommand. What does not belong
// here: anything that another door would need too.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"
)

func main() {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	p := program{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		terminal: isatty.IsTerminal(os.Stdout.Fd()),
		asks:     isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stderr.Fd()),
		now:      time.Now,
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is one run of the command line: its streams, its clock, and what
// tests may put in the way.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// terminal says that a person reads stdout.
	terminal bool
	// asks says that a person can be asked: one reads stderr and types on stdin.
	asks bool
	now  func() time.Time
	// free is the room on the disk of a folder; nil asks the system.
	free func(folder string) (int64, error)
	// probe is told the steps of running imports; nil outside of tests.
	probe func(step string)
}

// run runs one command and returns the exit code (see exit.go).
func (p *program) run(ctx context.Context, args []string) int {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli, p.grammar(&exited)...)
	if err != nil {
		fmt.Fprintf(p.stderr, "tallyman: %v\n", err)
		return exitOther
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		return p.usage(err)
	}
	command.BindTo(byCommand(ctx), (*context.Context)(nil))
	command.Bind(p)
	return p.report(command.Run())
}

// usage reports a command line that makes no sense.
func (p *program) usage(err error) int {
	fmt.Fprintf(p.stderr, "tallyman: %v\n", err)
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if command := parse.Context.Command(); command != "" {
			fmt.Fprintf(p.stderr, "See: tallyman %s --help\n", commandWords(command))
			return exitOther
		}
	}
	fmt.Fprintln(p.stderr, "See: tallyman --help")
	return exitOther
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. The
// second one ends the process at once: whoever asks twice means it, and every
// step of an import survives that.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitOther)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
