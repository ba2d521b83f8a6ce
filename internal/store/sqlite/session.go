package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// session is one connection as the hot path uses it, the writer's or one that
// reads ahead of it: the driver itself, with statements that are prepared once
// and kept. database/sql would take every argument and every value through a
// lock and a conversion of its own. Whoever holds the connection may use its
// session; nobody else.
//
// Statements run under context.Background(): a context that can end costs a
// goroutine for each of them.
type session struct {
	conn  driver.Conn
	stmts map[shape]*statement
	args  []driver.NamedValue // reused by every statement that is not prepared elsewhere
}

// close gives the statements back, without which the driver's connection would
// never really close.
func (s *session) close() (err error) {
	for _, st := range s.stmts {
		err = errors.Join(err, st.run.Close())
	}
	clear(s.stmts)
	return err
}

// shape names a statement that comes in several sizes.
type shape struct {
	text string // SQL with listMark where the list goes
	size int
}

// listMark stands in a statement's text where its list of parameters goes.
const listMark = "(*)"

func newSession(conn driver.Conn) *session {
	return &session{conn: conn, stmts: make(map[shape]*statement)}
}

// statement returns the statement with this text, its list holding size
// parameters.
func (s *session) statement(text string, size int) (*statement, error) {
	if st := s.stmts[shape{text, size}]; st != nil {
		return st, nil
	}
	return s.prepare(shape{text, size}, strings.Replace(text, listMark, parameters(size), 1))
}

func (s *session) prepare(as shape, text string) (*statement, error) {
	st, err := s.conn.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	run, ok := st.(runner)
	if !ok {
		return nil, errors.Join(fmt.Errorf("prepare: driver statement %T has no contexts", st), st.Close())
	}
	s.stmts[as] = &statement{run: run}
	return s.stmts[as], nil
}

// bind puts values into the session's argument list, which is good until the
// next bind.
func (s *session) bind(values ...driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for _, v := range values {
		s.add(v)
	}
	return s.args
}

func (s *session) add(v driver.Value) {
	s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1, Value: v})
}

// runner is what the driver's statements can do.
type runner interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement is a prepared statement of a session.
type statement struct {
	run  runner
	dest []driver.Value
}

// exec runs the statement and returns how many rows it changed.
func (st *statement) exec(args []driver.NamedValue) (int64, error) {
	r, err := st.run.ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query runs the statement and calls fn with each row, whose slice is reused.
func (st *statement) query(args []driver.NamedValue, fn func([]driver.Value) error) (err error) {
	rows, err := st.run.QueryContext(context.Background(), args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if n := len(rows.Columns()); len(st.dest) != n {
		st.dest = make([]driver.Value, n)
	}
	for {
		switch err := rows.Next(st.dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(st.dest); err != nil {
			return err
		}
	}
}

// parameters returns "(?,?,…)" with n question marks.
func parameters(n int) string {
	return "(" + strings.Repeat(",?", n)[min(1, n):] + ")"
}

// listSizes are the lengths in which lists are looked up; a list is cut into
// the longest and its rest fills the shortest that holds it, by repeating its
// last element. Few sizes keep few statements.
var listSizes = [...]int{1, 8, 64, 500}

// eachList cuts a list into spans of at most the longest list size and calls
// fn with each span and the size of the statement to use.
func eachList(n int, fn func(from, to, size int) error) error {
	longest := listSizes[len(listSizes)-1]
	for from := 0; from < n; from += longest {
		to := min(n, from+longest)
		if err := fn(from, to, fit(to-from)); err != nil {
			return err
		}
	}
	return nil
}

func fit(n int) int {
	for _, size := range listSizes {
		if n <= size {
			return size
		}
	}
	return listSizes[len(listSizes)-1]
}
