package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/alecthomas/kong"

	"tallyman/internal/config"
	"tallyman/internal/importer"
	"tallyman/internal/store"
)

// place is the flags that say what a command works on.
type place struct {
	config.Storage
	Workspace string `help:"Workspace (${default})." default:"${workspace}" env:"TALLYMAN_WORKSPACE" placeholder:"NAME"`
	// fileless says that the command has nothing to do with files.
	fileless bool
}

// base is the flags of a command that looks at the database alone.
type base struct {
	Data     string `name:"data" env:"TALLYMAN_DATA" default:"${data}" placeholder:"DIR" help:"Folder of the embedded database (${default})."`
	Database string `name:"database" env:"TALLYMAN_DATABASE" secret:"" placeholder:"URL" help:"PostgreSQL database, shared by any number of nodes: postgres://… ; without it, the embedded one."`
}

// at is the place without files, in the default workspace.
func (b *base) at() *place {
	return &place{Storage: config.Storage{Data: b.Data, Database: b.Database}, Workspace: store.DefaultWorkspace, fileless: true}
}

// tenant is the flags of a command that looks at what the database alone holds of a
// workspace.
type tenant struct {
	base
	Workspace string `help:"Workspace (${default})." default:"${workspace}" env:"TALLYMAN_WORKSPACE" placeholder:"NAME"`
}

// at is the place without files.
func (t *tenant) at() *place {
	pl := t.base.at()
	pl.Workspace = t.Workspace
	return pl
}

// usualData is the data folder where none is named.
const usualData = "./tallyman-data"

// settings is what a node is set to.
type settings struct {
	config    config.Config
	folder    folder
	workspace string
	// fileless says that files are not looked at.
	fileless bool
	log      *slog.Logger
	// engineLog is the log of what goes on by itself: jobs, beats and sweeps. People
	// at a terminal hear of that what the guard says.
	engineLog *slog.Logger
	// hinted says that people were told which of their flags a command line leaves
	// out.
	hinted *atomic.Bool
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
	set, err := newSettings(cfg, pl.Workspace, quietLog(p.stderr))
	if err == nil {
		set.fileless = pl.fileless
		set.engineLog = slog.New(slog.DiscardHandler)
	}
	return set, err
}

func newSettings(cfg config.Config, workspace string, log *slog.Logger) (*settings, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return &settings{config: cfg, folder: folder(data), workspace: workspace, log: log, engineLog: log, hinted: new(atomic.Bool)}, nil
}

// quietLog is the log of commands for people: what they should know of is on
// their terminal already, so only what is wrong comes here.
func quietLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// commandLine is the command line that does something on the same folder and in
// the same workspace, to be shown to people. An address that holds a secret is left
// out of it; people are told so once.
func (s *settings) commandLine(words string) string {
	line := "tallyman " + words
	if usual, err := filepath.Abs(usualData); err != nil || usual != string(s.folder) {
		line += " --data " + quoted(string(s.folder))
	}
	given := map[string]string{"database": s.config.Database, "files": s.config.Files}
	var secret []string
	for _, where := range s.config.Describe() {
		value := given[where.Name]
		// What the environment says, the next command is told as well.
		if value == "" || os.Getenv(where.Env)+os.Getenv(where.Env+"_FILE") != "" {
			continue
		}
		if value != where.Value {
			secret = append(secret, "--"+where.Name)
			continue
		}
		line += " --" + where.Name + " " + quoted(value)
	}
	if s.workspace != store.DefaultWorkspace {
		line += " --workspace " + s.workspace
	}
	if len(secret) > 0 && !s.hinted.Swap(true) {
		line += " (with your " + strings.Join(secret, " and ") + ")"
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

// noteLocalFiles says where files lie that only this node of a shared database sees.
func (s *settings) noteLocalFiles(p *program) {
	if s.config.Shared() && s.config.Files == "" {
		fmt.Fprintf(p.stderr, "Files lie in %s, which no other node sees; --files (TALLYMAN_FILES) names a place for all.\n", s.folder.files())
	}
}

// ofDatabase is the settings for a command that has nothing to do with files nor
// with a workspace; see base.
func (s *settings) ofDatabase() *settings {
	other := *s.inWorkspace(store.DefaultWorkspace)
	other.fileless, other.config.Files = true, ""
	return &other
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
