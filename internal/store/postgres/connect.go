package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How long a connection that says nothing is believed to be there. A network may
// lose one without a word to either side.
const (
	// connectTimeout is how long a connection may take to be made, unless the
	// address says so.
	connectTimeout = 10 * time.Second
	// pingTimeout is how long one that was idle may take to show that it is there.
	pingTimeout = 5 * time.Second
	// goneAfter is how long the other machine may leave bytes, or the questions
	// whether it is there, without a receipt.
	goneAfter = 15 * time.Second
	// writerSilence and readerSilence are how long a server that is there may take
	// to say anything: a little longer than it lets their statements run.
	writerSilence = 65 * time.Second
	readerSilence = 5*time.Minute + 5*time.Second

	maxIdle = 5 * time.Minute
)

// Names of connections, by which the server lists them. The address may have
// another one.
const (
	storeName  = "tallyman"
	engineName = "tallyman-jobs"
)

// fewestConns is the smallest bound of a pool with which a node can work: its job
// engine keeps one connection to itself, and a request may need a second one
// while it has one.
const fewestConns = 4

// server is a database server as an address names it.
type server struct {
	pool *pgxpool.Config
	// most is how many connections the address allows a pool; 0 is for no bound.
	most int
	// named, idle and pinged say that the address has a name for connections, and a
	// time for idle ones and for pings.
	named, idle, pinged bool
}

// parse reads an address (a postgres:// URL or a list of key=value). What the
// driver knows about pools may stand in it.
func parse(url string) (server, error) {
	pool, err := pgxpool.ParseConfig(url)
	if err != nil {
		return server{}, unreadable(err)
	}
	if err := checkHosts(pool.ConnConfig); err != nil {
		return server{}, err
	}
	raw, err := pgx.ParseConfig(url) // has what the pool's has taken out
	if err != nil {
		return server{}, unreadable(err)
	}
	s := server{pool: pool, named: has(raw, "application_name"), idle: has(raw, "pool_max_conn_idle_time"), pinged: has(raw, "pool_ping_timeout")}
	if has(raw, "pool_max_conns") {
		s.most = int(pool.MaxConns)
	}
	if has(raw, "pool_max_conns") && s.most < fewestConns {
		return server{}, fmt.Errorf("read the database's address: pool_max_conns is %d and must be at least %d; it bounds each of a node's four pools", s.most, fewestConns)
	}
	if pool.ConnConfig.ConnectTimeout == 0 {
		pool.ConnConfig.ConnectTimeout = connectTimeout
	}
	return s, nil
}

func has(c *pgx.ConnConfig, setting string) bool { return c.RuntimeParams[setting] != "" }

// plain connects outside of a pool, without the settings of one. Migrations take
// as long as they take.
func (s server) plain() *pgx.ConnConfig {
	c := s.pool.ConnConfig.Copy()
	s.name(c, storeName)
	c.DialFunc = dial(0)
	setWatcher(&c.Config)
	return c
}

// name sets by what name the server knows a connection.
func (s server) name(c *pgx.ConnConfig, name string) {
	if !s.named {
		c.RuntimeParams["application_name"] = name
	}
}

// bounded is a pool of at most so many connections.
func (s server) bounded(conns int, name string, silence time.Duration) *pgxpool.Config {
	c := s.pool.Copy()
	if s.most > 0 {
		conns = min(conns, s.most)
	}
	c.MaxConns = int32(conns)
	if !s.idle {
		c.MaxConnIdleTime = maxIdle
	}
	if !s.pinged {
		c.PingTimeout = pingTimeout
	}
	s.name(c.ConnConfig, name)
	c.ConnConfig.DialFunc = dial(silence)
	return c
}

// open makes a pool of the store's own, whose connections have settings.
func (s server) open(ctx context.Context, conns int, silence time.Duration, settings ...string) (*pgxpool.Pool, error) {
	c := s.bounded(conns, storeName, silence)
	setWatcher(&c.ConnConfig.Config)
	c.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		for _, s := range settings {
			if _, err := c.Exec(ctx, s); err != nil {
				return fmt.Errorf("set up connection: %w", err)
			}
		}
		var refused *pgconn.PgError
		if _, err := c.Exec(ctx, noticeGone); err != nil && !errors.As(err, &refused) {
			return fmt.Errorf("set up connection: %w", err)
		}
		return nil
	}
	return pgxpool.NewWithConfig(ctx, c)
}

// openEngine makes the job engine's pool. It has no bound for silence: it listens.
func (s server) openEngine(ctx context.Context, conns int) (*pgxpool.Pool, error) {
	return pgxpool.NewWithConfig(ctx, s.bounded(conns, engineName, 0))
}

// setWatcher makes a context that ends cancel its statement on the server. The
// driver's own way, to drop the connection, leaves the server at work.
func setWatcher(c *pgconn.Config) {
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
}

// dial makes connections that end when the other machine is gone, and, unless
// silence is 0, when it says nothing for so long although it is asked.
func dial(silence time.Duration) pgconn.DialFunc {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: goneAfter / 3, Interval: goneAfter / 3, Count: 2}}
	d.ControlContext = boundUnacknowledged
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil || silence == 0 {
			return conn, err
		}
		return &impatient{Conn: conn, silence: silence}, nil
	}
}

func isTCP(network string) bool { return strings.HasPrefix(network, "tcp") }
