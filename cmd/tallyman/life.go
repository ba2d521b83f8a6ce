package main

import (
	"context"
	"log/slog"

	"tallyman/internal/jobs"
)

// noteLife notes in the log that the node is set going, on what, and that it has
// ended.
func (n *node) noteLife() {
	log := n.settings.log.With(jobs.LogNode, n.name)
	database, files := n.settings.grounds()
	log.LogAttrs(context.Background(), slog.LevelInfo, "node started", slog.String("version", version()),
		slog.String("database", database), slog.String("files", files))
	n.onClose("note the end", func() error {
		log.Info("node stopped")
		return nil
	})
}

// grounds names the database and the place of the files, without secrets.
func (s *settings) grounds() (database, files string) {
	database, files = s.folder.database(), s.folder.files()
	for _, set := range s.config.Describe() {
		switch {
		case set.Value == "":
		case set.Name == "database":
			database = set.Value
		case set.Name == "files":
			files = set.Value
		}
	}
	return database, files
}
