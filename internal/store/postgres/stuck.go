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

// How long a session may be in the middle of a statement and nothing of it moves.
const (
	// receivesNothing is for one that waits for the rest of what its node sends.
	receivesNothing = 8 * time.Second
	// sendsNothing is for one that waits for its node to take what it sends. How much
	// went is not known, so it has as long as a statement may take: the time-out of the
	// server itself does not end one that it sends.
	sendsNothing = time.Minute
)

const (
	// selectHalfway lists the sessions of this program that wait for their nodes within
	// a statement: for the rest of it or of a COPY, with what they have got of it, or,
	// where they have locked something, to hand on what it returns. A node that stands
	// still there is not idle in the server's eyes, so no time-out of the server ends it.
	selectHalfway = `SELECT a.pid, a.query_start, a.wait_event, coalesce(c.bytes_processed, 0)
FROM pg_stat_activity a LEFT JOIN pg_stat_progress_copy c ON c.pid = a.pid
WHERE a.datname = current_database() AND a.usename = current_user AND a.application_name = current_setting('application_name')
	AND a.state = 'active' AND a.wait_event_type = 'Client' AND (a.wait_event = 'ClientRead' OR a.wait_event = 'ClientWrite' AND a.backend_xid IS NOT NULL)
	AND a.pid <> pg_backend_pid()`

	// endSession ends a session that is still at the same statement.
	endSession = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND query_start = $2 AND state = 'active' AND wait_event = $3`

	waitsToSend = "ClientWrite"
)

// halfway is a session in the middle of a statement, what it waits for, and how much
// it has got.
type halfway struct {
	pid   int32
	began time.Time
	waits string
	bytes int64
}

// patience is how long it may be so.
func (h halfway) patience() time.Duration {
	if h.waits == waitsToSend {
		return sendsNothing
	}
	return receivesNothing
}

// stuckSessions remembers since when nothing has moved in each session.
type stuckSessions struct {
	mu    sync.Mutex
	since map[halfway]time.Time
}

// EndStuck ends the sessions of nodes that stand still in the middle of sending or
// taking something and hold what they have locked, and returns how many. It is to be
// called again and again: only where nothing moves at any call, for a while, a node
// stands still.
func (db *DB) EndStuck(ctx context.Context) (ended int, err error) {
	sessions, err := collect(ctx, db.q, scanHalfway, selectHalfway)
	if err != nil {
		return 0, fmt.Errorf("find stuck sessions: %w", err)
	}
	for _, s := range db.stuck.silent(sessions, time.Now()) {
		done, err := one(ctx, db.q, scanBool, endSession, s.pid, s.began, s.waits)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return ended, fmt.Errorf("end a stuck session: %w", err)
		}
		if done {
			ended++
			db.log.WarnContext(ctx, "ended a session whose node stood still in the middle of a statement", "pid", s.pid, "since", s.began, "waited_for", s.waits)
		}
	}
	return ended, nil
}

// silent notes who is halfway now and returns those where nothing moved for too long.
func (st *stuckSessions) silent(sessions []halfway, now time.Time) (list []halfway) {
	st.mu.Lock()
	defer st.mu.Unlock()
	since := make(map[halfway]time.Time, len(sessions))
	for _, s := range sessions {
		first, known := st.since[s]
		if !known {
			first = now
		}
		since[s] = first
		if now.Sub(first) >= s.patience() {
			list = append(list, s)
		}
	}
	st.since = since
	return list
}

func scanHalfway(s pgx.Row) (h halfway, err error) {
	err = s.Scan(&h.pid, &h.began, &h.waits, &h.bytes)
	h.began = h.began.UTC() // one moment is one key
	return h, err
}

func scanBool(s pgx.Row) (is bool, err error) {
	err = s.Scan(&is)
	return is, err
}
