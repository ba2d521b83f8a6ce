package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/internal/store"
)

// stuckAfter is how long a session may be in the middle of a statement and send no
// more of it.
const stuckAfter = 8 * time.Second

const (
	// selectReceiving lists the sessions of this program that wait for the rest of a
	// statement or of a COPY, with what they have got of it. A node that stands still
	// there is not idle in the server's eyes, so no time-out of the server ends it.
	selectReceiving = `SELECT a.pid, a.query_start, coalesce(c.bytes_processed, 0)
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_copy c ON c.pid = a.pid
WHERE a.datname = current_database() AND a.usename = current_user AND a.application_name = current_setting('application_name')
	AND a.state = 'active' AND a.wait_event_type = 'Client' AND a.wait_event = 'ClientRead' AND a.pid <> pg_backend_pid()`

	// endSession ends a session that is still at the same statement.
	endSession = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND query_start = $2 AND state = 'active' AND wait_event = 'ClientRead'`
)

// receiving is a session in the middle of a statement, and how much of it has come.
type receiving struct {
	pid   int32
	began time.Time
	bytes int64
}

// stuckSessions remembers since when each session has got nothing.
type stuckSessions struct {
	mu    sync.Mutex
	since map[receiving]time.Time
}

// EndStuck ends the sessions of nodes that stand still in the middle of sending
// something and hold what they have locked, and returns how many. It is to be called
// again and again: only who has sent nothing between two calls, and for a few
// seconds, stands still.
func (db *DB) EndStuck(ctx context.Context) (ended int, err error) {
	sessions, err := collect(ctx, db.q, scanReceiving, selectReceiving)
	if err != nil {
		return 0, fmt.Errorf("find stuck sessions: %w", err)
	}
	for _, s := range db.stuck.silent(sessions, time.Now()) {
		done, err := one(ctx, db.q, scanBool, endSession, s.pid, s.began)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return ended, fmt.Errorf("end a stuck session: %w", err)
		}
		if done {
			ended++
			db.log.WarnContext(ctx, "ended a session that stood still while it sent", "pid", s.pid, "since", s.began)
		}
	}
	return ended, nil
}

// silent notes who receives now and returns those who have got nothing for too long.
func (st *stuckSessions) silent(sessions []receiving, now time.Time) (list []receiving) {
	st.mu.Lock()
	defer st.mu.Unlock()
	since := make(map[receiving]time.Time, len(sessions))
	for _, s := range sessions {
		first, known := st.since[s]
		if !known {
			first = now
		}
		since[s] = first
		if now.Sub(first) >= stuckAfter {
			list = append(list, s)
		}
	}
	st.since = since
	return list
}

func scanReceiving(s pgx.Row) (r receiving, err error) {
	err = s.Scan(&r.pid, &r.began, &r.bytes)
	r.began = r.began.UTC() // one moment is one key
	return r, err
}

func scanBool(s pgx.Row) (is bool, err error) {
	err = s.Scan(&is)
	return is, err
}
