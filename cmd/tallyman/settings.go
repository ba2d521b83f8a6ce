package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"tallyman/internal/config"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// place is the flags that say what a command works on.
type place struct {
	config.Storage
	Workspace string `help:"Workspace (${default})." default:"${workspace}" env:"TALLYMAN_WORKSPACE" placeholder:"NAME"`
}

// usualData is the data folder where none is named.
const usualData = "./tallyman-data"

// settings is what a node is set to.
type settings struct {
	config    config.Config
	folder    folder
	workspace string
	log       *slog.Logger
}

// settings are the environment's and the defaults, with the place's folder and
// workspace.
func (pl *place) settings(p *program) (*settings, error) {
	var cfg config.Config
	parser, err := kong.New(&cfg, kong.Exit(func(int) {}), kong.Resolvers(config.SecretFiles()))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if _, err := parser.Parse(nil); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	cfg.Storage = pl.Storage
	return newSettings(cfg, pl.Workspace, quietLog(p.stderr))
}

func newSettings(cfg config.Config, workspace string, log *slog.Logger) (*settings, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return &settings{config: cfg, folder: folder(data), workspace: workspace, log: log}, nil
}

// quietLog is the log of commands for people: what they should know of is on
// their terminal already, so only what is wrong comes here.
func quietLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// commandLine is the command line that does something on the same folder and in
// the same workspace, to be shown to people.
func (s *settings) commandLine(words string) string {
	line := "tallyman " + words
	if usual, err := filepath.Abs(usualData); err != nil || usual != string(s.folder) {
		line += " --data " + quoted(string(s.folder))
	}
	for _, where := range s.config.Describe() {
		// What the environment says, the next command is told as well.
		if (where.Name == "database" || where.Name == "files") && where.Value != "" && os.Getenv(where.Env)+os.Getenv(where.Env+"_FILE") == "" {
			line += " --" + where.Name + " " + quoted(where.Value)
		}
	}
	if s.workspace != store.DefaultWorkspace {
		line += " --workspace " + s.workspace
	}
	return line
}

// sights are the command lines that show an import and what is to be seen of it.
func (s *settings) sights() sights {
	return sights{
		imp:    func(id string) string { return s.commandLine("imports show " + id) },
		errors: func(id string) string { return s.commandLine("imports errors " + id) },
		changes: func(id string, f importer.ChangeFilter) string {
			return s.commandLine("imports changes " + id + changesFlags(f))
		},
		kept: func(id string) string { return s.commandLine("imports rows " + id + " --outcome kept") },
		failed: func(id string, plan bool) string {
			if plan {
				id += " --plan"
			}
			return s.commandLine("imports failed-rows " + id + " --out FILE")
		},
		command: s.commandLine,
	}
}

// inWorkspace is the settings for another workspace.
func (s *settings) inWorkspace(name string) *settings {
	other := *s
	other.workspace = name
	return &other
}

// quoted quotes an argument where a shell would take it apart.
func quoted(arg string) string {
	if !strings.ContainsAny(arg, " \t'\"$&|;<>()*?[]#~`\\!{}") {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// where names what a node works on, for people: the data folder, and the
// database that takes the embedded one's place.
func (s *settings) where() string {
	for _, set := range s.config.Describe() {
		if set.Name == "database" && set.Value != "" {
			return set.Value
		}
	}
	return string(s.folder)
}

// exists reports whether there is a database to look into. One that is shared is
// made by whoever asks first.
func (s *settings) exists() bool { return s.config.Shared() || s.folder.exists() }
