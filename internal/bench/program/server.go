package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Server is the program serving its data folder.
type Server struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	url    string
	key    string
	start  time.Time
}

// Serve starts a server on the data folder, with further arguments, and returns
// once it answers. Stop must be called.
func (p *Program) Serve(ctx context.Context, args ...string) (*Server, error) {
	s, line, err := p.begin(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		return nil, err
	}
	s.url = line[strings.LastIndexByte(line, ' ')+1:] // the line ends with where it answers
	if s.key, err = p.key(ctx); err != nil {
		_, serr := s.Stop()
		return nil, errors.Join(err, serr)
	}
	return s, nil
}

// Work starts a node that works on imports and answers nobody, with further
// arguments. Stop must be called.
func (p *Program) Work(ctx context.Context, args ...string) (*Server, error) {
	s, _, err := p.begin(ctx, append([]string{"work"}, args...)...)
	return s, err
}

// begin starts a process that runs until it is stopped, and returns the first line
// that it prints, which says that it is at work.
func (p *Program) begin(ctx context.Context, args ...string) (*Server, string, error) {
	s := &Server{stderr: new(bytes.Buffer), start: time.Now()}
	s.cmd = exec.CommandContext(ctx, p.Binary, p.at(args)...)
	s.cmd.Stderr = s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start tallyman %s: %w", args[0], err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_, serr := s.Stop()
		return nil, "", errors.Join(fmt.Errorf("tallyman %s does not say that it is at work: %w", args[0], err), serr)
	}
	return s, strings.TrimSuffix(line, "\n"), nil
}

// key makes an API key for the server.
func (p *Program) key(ctx context.Context) (string, error) {
	made, _, err := reported[struct {
		Key string `json:"key"`
	}](p.Run(ctx, "keys", "create", "--name", "bench", "--role", "admin", "--json"))
	return made.Key, err
}

// Stop ends the server and says what it took.
func (s *Server) Stop() (Usage, error) {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return Usage{}, fmt.Errorf("stop the server: %w", err)
	}
	if err := s.cmd.Wait(); err != nil {
		return Usage{}, fmt.Errorf("the server ended: %w\n%s", err, tail(s.stderr.Bytes()))
	}
	u := Usage{Wall: time.Since(s.start)}
	if r, ok := s.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.Peak = r.Maxrss * maxrssUnit
	}
	return u, nil
}

// Get asks for a path below /api/v1. The body must be closed.
func (s *Server) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		said, err := io.ReadAll(io.LimitReader(answer.Body, 2000))
		return nil, errors.Join(fmt.Errorf("GET %s: %s %s", path, answer.Status, said), err, answer.Body.Close())
	}
	return answer.Body, nil
}

// GetJSON asks for a path below /api/v1 and reads the answer into v.
func (s *Server) GetJSON(ctx context.Context, path string, v any) error {
	body, err := s.Get(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("read GET %s: %w", path, err)
	}
	return nil
}

// Refusal is what the server says of a request that it does not do.
type Refusal struct {
	Code    string `json:"error"`
	Message string `json:"message"`
}

// Upload imports a file, sent as it is read, with these columns mapped as
// Program.Import maps them, and returns the import as it begins. Without columns
// the program finds them.
func (s *Server) Upload(ctx context.Context, file string, columns []string) (imp Import, err error) {
	f, err := os.Open(file)
	if err != nil {
		return imp, err
	}
	defer f.Close()
	body, form, err := uploadForm(f, columns)
	if err != nil {
		return imp, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/imports", body)
	if err != nil {
		return imp, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", form)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return imp, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s", answer.Status, tail(said))
	}
	if err == nil {
		err = json.Unmarshal(said, &imp)
	}
	if err != nil {
		return imp, fmt.Errorf("upload %s: %w", filepath.Base(file), err)
	}
	return imp, nil
}

// uploadForm is a multipart body with the mapping and, streamed, the file.
func uploadForm(f *os.File, columns []string) (body io.Reader, contentType string, err error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	if len(columns) > 0 {
		mapping := map[string]string{}
		for _, c := range columns {
			mapping[c] = Field(c)
		}
		text, err := json.Marshal(mapping)
		if err != nil {
			return nil, "", err
		}
		if err := w.WriteField("mapping", string(text)); err != nil {
			return nil, "", err
		}
	}
	if _, err := w.CreateFormFile("file", filepath.Base(f.Name())); err != nil {
		return nil, "", err
	}
	end := "\r\n--" + w.Boundary() + "--\r\n"
	return io.MultiReader(&head, f, strings.NewReader(end)), w.FormDataContentType(), nil
}

// Post sends an empty request to a path below /api/v1. What a server says of one
// that it does is left unread.
func (s *Server) Post(ctx context.Context, path string) (status int, said Refusal, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1"+path, nil)
	if err != nil {
		return 0, said, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, said, err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		err = json.NewDecoder(answer.Body).Decode(&said)
	}
	return answer.StatusCode, said, err
}
