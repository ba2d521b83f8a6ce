//go:build !race

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestStories runs the stories in testdata: the command line as its users meet
// it. TALLYMAN_UPDATE=1 rewrites what they expect.
func TestStories(t *testing.T) { tell(t, true, nil) }

// TestStoriesOnPostgresAndS3 runs the same stories where several nodes could share
// the work.
func TestStoriesOnPostgresAndS3(t *testing.T) { tell(t, false, sharedGround(t).variables()) }

// tell runs the stories with these variables in their environment. What is so on
// the embedded ground alone stands behind the condition [embedded].
func tell(t *testing.T, embedded bool, variables []string) {
	testscript.Run(t, testscript.Params{
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, variables...)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "embedded" {
				return embedded, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Dir:                 "testdata",
		UpdateScripts:       embedded && os.Getenv("TALLYMAN_UPDATE") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"field":    field,
			"ready":    ready,
			"mode":     mode,
			"httpcode": httpCode,
			"firstid":  firstID,
		},
	})
}

// exits runs a command and checks its exit code: exits CODE COMMAND ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, not %s", code, args[0])
	}
}

// field sets an environment variable to a field of the JSON object in the last
// line of a file: field VARIABLE FILE NAME
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field VARIABLE FILE NAME")
	}
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &object))
	value, ok := object[args[2]]
	if !ok {
		ts.Fatalf("no field %s in %s", args[2], lines[len(lines)-1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// firstID sets an environment variable to the first import's id in a listing:
// firstid VARIABLE FILE
func firstID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: firstid VARIABLE FILE")
	}
	for _, line := range strings.Split(ts.ReadFile(args[1]), "\n") {
		if id, _, _ := strings.Cut(line, " "); strings.HasPrefix(id, "imp_") {
			ts.Setenv(args[0], id)
			return
		}
	}
	ts.Fatalf("no import in %s", args[1])
}

// ready waits for the server of a data folder and sets URL: ready FOLDER
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready FOLDER")
	}
	f := folder(ts.MkAbs(args[0]))
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s, ok := f.server(); ok && answers(context.Background(), s.URL) {
			ts.Setenv("URL", s.URL)
			return
		}
	}
	ts.Fatalf("the server of %s is not ready after a minute", args[0])
}

// mode checks the permissions of a file: mode 600 FILE
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode BITS FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, not %s", args[1], got, args[0])
	}
}

// httpCode checks the status of a GET with a key: httpcode STATUS URL KEY
func httpCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: httpcode STATUS URL KEY")
	}
	req, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+args[2])
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	resp.Body.Close()
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("GET %s: %s, not %s", args[1], resp.Status, args[0])
	}
}

// TestStoriesAreNamedForWhatTheyTell keeps the folder readable: every story says
// in its first line what it is about.
func TestStoriesAreNamedForWhatTheyTell(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, s := range stories {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with a line that says what it tells", s)
		}
	}
}
