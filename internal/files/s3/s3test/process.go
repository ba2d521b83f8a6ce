package s3test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// watch runs a server and kills it when its own input ends, so that no server
// outlives the test, however that dies.
const watch = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; kill -9 $server 2>/dev/null) &
wait $server`

// process is a server that runs below a shell.
type process struct {
	cmd   *exec.Cmd
	leash io.Closer
	log   string
	ended chan struct{}
}

func startProcess(binary, address, dir string) (*process, error) {
	root, iam := filepath.Join(dir, "files"), filepath.Join(dir, "iam")
	if err := errors.Join(os.MkdirAll(root, 0o700), os.MkdirAll(iam, 0o700)); err != nil {
		return nil, err
	}
	p := &process{log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command("sh", "-c", watch, "sh", binary, "--quiet", "--keep-alive", "--port", address, "--iam-dir", iam, "posix", root)
	p.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if p.leash, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start versitygw: %w", err)
	}
	go func() {
		_ = p.cmd.Wait() // it ends by being killed
		close(p.ended)
	}()
	return p, nil
}

// kill ends the server and waits until its port is free.
func (p *process) kill() error {
	err := p.leash.Close()
	<-p.ended
	if errors.Is(err, os.ErrClosed) {
		return nil // it had ended already
	}
	return err
}

// output is what the server wrote, as far as it fits an error.
func (p *process) output() []byte {
	out, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	out = bytes.TrimSpace(out)
	return out[max(0, len(out)-2000):]
}
