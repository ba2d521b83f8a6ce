package rest

import (
	"net/http"
	"strings"

	"tallyman/internal/server"
)

// routed notes where a request goes, and in its line of the log which import it is
// about.
func routed(r *http.Request, pattern string) {
	server.Routed(r.Context(), pattern)
	rest, ok := strings.CutPrefix(r.URL.Path, Prefix+"/imports/")
	if id, _, _ := strings.Cut(rest, "/"); ok && strings.HasPrefix(id, "imp_") && len(id) <= maxLoggedID {
		server.AboutImport(r.Context(), id)
	}
}

// maxLoggedID bounds what of a path is taken for an id: longer ones are none.
const maxLoggedID = 40
