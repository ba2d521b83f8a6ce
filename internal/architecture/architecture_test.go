// Package architecture holds the test that keeps the arrows between packages
// running inward. It has nothing but the test: what the layers are is said in
// the table below, and why in docs/architecture.md.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "tallyman"

// layers gives every package of the module its layer, by its first path
// element below internal/ (or cmd, for what is below cmd/). A package imports
// packages of lower layers only. A new package must be entered here.
var layers = map[string]int{
	"catalog": 0,

	"tabular": 1, "source": 1, "ledger": 1, "store": 1, "jobs": 1, "files": 1, "media": 1, "audit": 1,

	"importer": 2, "export": 2, "account": 2, "publish": 2, "move": 2,

	"server": 3, "telemetry": 3,

	"config": 3, // the program's settings: read by cmd alone
	"health": 3, // when a node holds: asked by cmd alone

	"cmd": 4,

	// Programs and tests of the project itself.
	"bench": 4, "architecture": 4, "faults": 4,
}

// beside lists the imports that are allowed within a layer.
var beside = []string{
	"source → tabular", // a source reads records
	"store → ledger",   // a store keeps pages
	"jobs → store",     // a job is for a batch
	"audit → store",    // an entry is kept there
	"jobs → ledger",    // and a batch is of a pass
}

// implementations stand behind the interface of the package they lie in. They
// are chosen where the program is wired: only cmd imports them.
var implementations = []string{"store/sqlite", "store/postgres", "files/disk", "files/s3", "jobs/sqlitejobs", "jobs/postgresjobs"}

// suites are run by tests and are no part of the program.
var suites = []string{"store/storetest", "files/filestest", "jobs/jobstest", "tabular/tabulartest"}

// servers start real ones, or stand before them, for tests and for the project's
// own measurements.
var servers = []string{"store/postgres/pgtest", "files/s3/s3test", "faults"}

// outside lists what the domain must not import: whatever reads, writes or
// waits, with everything below it but what is excepted.
var outside = []string{"os", "net", "database/sql", "io", "log", "syscall", "embed", "path/filepath", "sync"}

// parsers are below packages of outside and touch nothing but their arguments.
var parsers = []string{"net/netip", "net/url"}

// path returns a package's path within the module, "" for one of another
// module: "store/sqlite" for tallyman/internal/store/sqlite.
func path(pkg string) string {
	rest, ok := strings.CutPrefix(pkg, module+"/")
	if !ok {
		return ""
	}
	return strings.TrimPrefix(rest, "internal/")
}

func top(p string) string {
	name, _, _ := strings.Cut(p, "/")
	return name
}

// offence says what is wrong with one package importing another, "" for
// nothing. from is a package of the module.
func offence(from, to string) string {
	f, t := path(from), path(to)
	switch {
	case top(f) == "catalog" && t != "":
		return "the domain imports no package of ours"
	case top(f) == "catalog" && readsOrWrites(to):
		return "the domain does no I/O"
	case t == "":
		return ""
	case slices.Contains(suites, t):
		return "a test suite is for tests"
	case slices.Contains(servers, t) && top(f) != "bench":
		return "a server for tests is no part of the program"
	case slices.Contains(implementations, t) && layers[top(f)] < layers["cmd"]:
		return "an implementation is chosen by cmd; import its interface"
	}
	return outward(f, t)
}

func readsOrWrites(pkg string) bool {
	return !slices.Contains(parsers, pkg) && slices.ContainsFunc(outside, func(p string) bool {
		return pkg == p || strings.HasPrefix(pkg, p+"/")
	})
}

func outward(f, t string) string {
	lf, okf := layers[top(f)]
	lt, okt := layers[top(t)]
	switch {
	case !okf || !okt:
		return "the package is not in the table of layers; enter it"
	case top(f) == top(t), lt < lf, slices.Contains(beside, top(f)+" → "+top(t)):
		return ""
	case lt == lf:
		return "packages of one layer do not import each other"
	}
	return "the arrow runs outward"
}

func TestArrowsRunInward(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.ImportPath == module {
			continue
		}
		if _, ok := layers[top(path(p.ImportPath))]; !ok {
			t.Errorf("%s is not in the table of layers; enter it", p.ImportPath)
		}
		for _, to := range p.Imports {
			if why := offence(p.ImportPath, to); why != "" {
				t.Errorf("%s → %s: %s", p.ImportPath, to, why)
			}
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string // of its own files, tests left out
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read what go list says: %v", err)
		}
		all = append(all, p)
	}
}

func TestOffence(t *testing.T) {
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{"tallyman/cmd/tallyman", "tallyman/internal/store/sqlite", true},
		{"tallyman/cmd/tallyman", "tallyman/internal/server/rest", true},
		{"tallyman/internal/server/rest", "tallyman/internal/importer", true},
		{"tallyman/internal/server/rest", "tallyman/internal/server", true},
		{"tallyman/internal/server/rest", "tallyman/internal/tabular/safecsv", true},
		{"tallyman/internal/importer", "tallyman/internal/importer/keyset", true},
		{"tallyman/internal/store/sqlite", "tallyman/internal/ledger", true},
		{"tallyman/internal/store/sqlite", "database/sql", true},
		{"tallyman/internal/catalog", "strings", true},
		{"tallyman/internal/catalog", "net/netip", true},
		{"tallyman/internal/catalog", "github.com/cockroachdb/apd/v3", true},

		{"tallyman/internal/catalog", "tallyman/internal/ledger", false},
		{"tallyman/internal/catalog", "os", false},
		{"tallyman/internal/catalog", "net/http", false},
		{"tallyman/internal/ledger", "tallyman/internal/store", false},
		{"tallyman/internal/store", "tallyman/internal/importer", false},
		{"tallyman/internal/importer", "tallyman/internal/server", false},
		{"tallyman/internal/importer", "tallyman/internal/store/sqlite", false},
		{"tallyman/internal/importer", "tallyman/internal/export", false},
		{"tallyman/internal/export", "tallyman/internal/server", false},
		{"tallyman/internal/server", "tallyman/internal/files/disk", false},
		{"tallyman/internal/server", "tallyman/cmd/tallyman", false},
		{"tallyman/cmd/tallyman", "tallyman/internal/store/storetest", false},
		{"tallyman/internal/store", "tallyman/internal/newcomer", false},
		{"tallyman/cmd/tallyman", "tallyman/internal/store/postgres/pgtest", false},
		{"tallyman/cmd/tallyman", "tallyman/internal/faults", false},
		{"tallyman/internal/bench/pgloader", "tallyman/internal/store/postgres/pgtest", true},
	} {
		if why := offence(c.from, c.to); (why == "") != c.allowed {
			t.Errorf("%s → %s: %q, allowed should be %v", c.from, c.to, why, c.allowed)
		}
	}
}
