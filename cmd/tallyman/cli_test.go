package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryCommandIsInTheOverview keeps docs/cli.md whole: each command begins a line
// of a table, and the commands below it are named there.
func TestEveryCommandIsInTheOverview(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if first, isCommand := strings.CutPrefix(line, "| `"); isCommand {
			name := first[:strings.IndexAny(first, " `")]
			rows[name] += line
		}
	}
	p := &program{stdout: io.Discard, stderr: io.Discard}
	exited := -1
	parser, err := kong.New(new(commands), p.grammar(&exited)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		row, ok := rows[command.Name]
		if !ok {
			t.Errorf("%s is in no table", command.Name)
		}
		for _, below := range command.Children {
			if below.Type == kong.CommandNode && !strings.Contains(row, below.Name) {
				t.Errorf("%s %s is in no table", command.Name, below.Name)
			}
		}
	}
}
