package s3test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

const (
	module  = "github.com/versity/versitygw/cmd/versitygw"
	version = "v1.8.0"
)

// build returns the server's program, built into the user's cache folder where it
// is not there. Test binaries that come to it at once build it once.
func build() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder to build versitygw in: %w", err)
	}
	dir := filepath.Join(cache, "tallyman-tools", "versitygw-"+version)
	binary := filepath.Join(dir, "versitygw")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("build versitygw: %w", err)
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return "", fmt.Errorf("build versitygw: %w", err)
	}
	if _, err = os.Stat(binary); err != nil {
		err = install(dir)
	}
	if err := errors.Join(err, unlock()); err != nil {
		return "", err
	}
	return binary, nil
}

// install has the go command build the program; that writes it under its name
// only when it is whole.
func install(dir string) error {
	cmd := exec.Command("go", "install", module+"@"+version)
	cmd.Dir = dir // outside of any module, whose go.mod has no say in it
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the S3 server that these tests need (go install %s@%s): %w\n%s", module, version, err, out)
	}
	return nil
}
