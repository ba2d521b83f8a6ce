package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand says which version this is.
type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version.
func (c *versionCommand) Run(p *program) error {
	if c.JSON {
		return printJSON(p.stdout, map[string]string{"version": version(), "go": runtime.Version(), "platform": platform()})
	}
	_, err := fmt.Fprintf(p.stdout, "tallyman %s (%s, %s)\n", version(), runtime.Version(), platform())
	return err
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// version is the module's version as it was built: a tag, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if revision == "" {
		return "development"
	}
	return "development-" + revision + dirty
}
