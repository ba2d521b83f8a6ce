package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// process is a running postgres.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of its end, once ended is closed
}

// startTime is how long a server may take until it answers. One that was killed
// may have much to read again.
const startTime = time.Minute

// Kill ends the server as kill -9 does. Its connections end a moment later, when
// they notice. What it answered stays, unless it was set not to wait for its log.
func (s *Server) Kill() error {
	if err := s.end(os.Kill); err != nil {
		return fmt.Errorf("kill PostgreSQL of the tests: %w", err)
	}
	return nil
}

// Restart starts the server again after Kill, on the port and the folder that it
// had, and waits until it answers.
func (s *Server) Restart() error {
	if err := s.run(); err != nil {
		return fmt.Errorf("start PostgreSQL of the tests again: %w", err)
	}
	return nil
}

// end ends the process and waits until it is gone; nothing where there is none.
func (s *Server) end(how os.Signal) error {
	p := s.process
	if p == nil {
		return nil
	}
	s.process = nil
	if err := p.cmd.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	if how == os.Kill {
		return nil
	}
	return p.err
}

// run starts the server and waits until it answers. After a kill it may refuse to
// start for as long as something of the one before is still there, and is started
// again.
func (s *Server) run() error {
	for patience := time.Now().Add(startTime); ; {
		if s.process == nil {
			p, err := s.start()
			if err != nil {
				return err
			}
			s.process = p
		}
		err := s.admin(context.Background(), "SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(patience) {
			said, _ := os.ReadFile(s.log())
			return fmt.Errorf("%w\n%s", err, said)
		}
		select {
		case <-s.process.ended:
			s.process = nil
		case <-time.After(20 * time.Millisecond): // it says nothing when it is ready
		}
	}
}

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

func (s *Server) start() (*process, error) {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data()), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.dir, log, log
	unprivileged(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}
