// Package config is everything the program can be set to: one documented
// struct, read from flags and environment by kong, with its rules (Validate)
// and its printout (Describe).
//
// What does not belong here: building parts from the settings (cmd/tallyman),
// and what a workspace or a source sets for itself (packages store and source).
//
// A command embeds Config, or only those of its groups that it needs; kong
// then validates them as it parses. A flag goes before the environment, that
// before the default. Settings tagged secret can also be read from the file
// that NAME_FILE names; see SecretFiles.
package config

import (
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"time"
)

// Config is all settings. Its zero value is not valid; kong fills in the
// defaults.
type Config struct {
	Storage
	HTTP
	Work
	Retention
	Logging
	Telemetry
}

// Validate returns every setting that is not allowed, naming the setting, its
// value and what is allowed.
func (c Config) Validate() error {
	return errors.Join(c.Storage.Validate(), c.HTTP.Validate(), c.Work.Validate(), c.Retention.Validate(), c.Logging.Validate(), c.Telemetry.Validate())
}

// Storage is where everything is kept.
type Storage struct {
	// Data is the folder of what is kept on this machine: the embedded database,
	// the files and the temporary files of running imports. A process that works
	// on imports has it for itself.
	Data string `name:"data" env:"TALLYMAN_DATA" default:"./tallyman-data" placeholder:"DIR" help:"Folder of the embedded database and files (${default})."`
	// Database is the PostgreSQL database that takes the embedded one's place, as a
	// URL or as key=value words; "" is the embedded one. Any number of nodes may
	// share it.
	Database string `name:"database" env:"TALLYMAN_DATABASE" secret:"" placeholder:"URL" help:"PostgreSQL database, shared by any number of nodes: postgres://… ; without it, the embedded one."`
	// Files is where files are kept, "" for the data folder: a bucket
	// (s3://bucket/prefix?endpoint=URL) or a folder, which every node must see.
	Files string `name:"files" env:"TALLYMAN_FILES" placeholder:"URL" help:"Where files are kept: s3://BUCKET/PREFIX?endpoint=URL, or a folder that every node sees; without it, in the data folder."`
}

// Shared reports whether several nodes may share the database.
func (s Storage) Shared() bool { return s.Database != "" }

// DatabasePath is the file of the embedded database.
func (s Storage) DatabasePath() string { return filepath.Join(s.Data, "tallyman.db") }

// FilesDir is the folder of stored files.
func (s Storage) FilesDir() string { return filepath.Join(s.Data, "files") }

// ScratchDir is the folder of files that mean nothing once the process ends.
func (s Storage) ScratchDir() string { return filepath.Join(s.Data, "scratch") }

// HTTP is how the program is reached and how much it takes.
type HTTP struct {
	// Listen is the address served, HOST:PORT; port 0 lets the system choose.
	Listen string `name:"listen" env:"TALLYMAN_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to serve on (${default})."`
	// BaseURL is how clients reach the program, "" to tell it from Listen.
	BaseURL string `name:"base-url" env:"TALLYMAN_BASE_URL" placeholder:"URL" help:"How clients reach the server, where that is not the address it serves on."`
	// TrustedProxies are the networks whose X-Forwarded-For is believed; none by
	// default, not even this machine's own.
	TrustedProxies Networks `name:"trusted-proxies" env:"TALLYMAN_TRUSTED_PROXIES" placeholder:"CIDR,…" help:"Networks of proxies that are believed when they say whose request it is (X-Forwarded-For)."`
	// RateLimit is how many requests a key may make in a minute; 0 is no limit.
	RateLimit int `name:"rate-limit" env:"TALLYMAN_RATE_LIMIT" default:"0" placeholder:"N" help:"Requests a key may make in a minute; 0 is no limit."`
	// RateLimitDay is how many requests a key may make in a day; 0 is no limit.
	RateLimitDay int `name:"rate-limit-day" env:"TALLYMAN_RATE_LIMIT_DAY" default:"0" placeholder:"N" help:"Requests a key may make in a day; 0 is no limit."`
	// MaxUpload bounds an uploaded file; 0 is no limit.
	MaxUpload Bytes `name:"max-upload" env:"TALLYMAN_MAX_UPLOAD" default:"0B" placeholder:"SIZE" help:"Largest file taken, such as 512MB or 1GiB; 0 is no limit."`
	// ShutdownTimeout is how long requests and chunks under way may take to end
	// once the program is asked to stop.
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"TALLYMAN_SHUTDOWN_TIMEOUT" default:"30s" placeholder:"TIME" help:"How long what is under way may take to end at a stop (${default})."`
}

// PublicURL is how clients reach the program, without a slash at the end.
func (h HTTP) PublicURL() string {
	if h.BaseURL != "" {
		return trimSlash(h.BaseURL)
	}
	host, port, err := net.SplitHostPort(h.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return "http://" + net.JoinHostPort("localhost", port)
	}
	return "http://" + h.Listen
}

// Work is how a node works on imports.
type Work struct {
	// Node names this node among those that share the database, "" to make a name
	// of the machine and the process.
	Node string `name:"node" env:"TALLYMAN_NODE" placeholder:"NAME" help:"Name of this node, unlike any other's; without it, one is made of the machine's."`
	// Workers is how many batches this node works on at once; 0 is one for each
	// core. See WorkerCount.
	Workers int `name:"workers" env:"TALLYMAN_WORKERS" default:"0" placeholder:"N" help:"Batches to work on at once; 0 is one for each core."`
	// WorkersPerImport bounds how many batches of one import all nodes together
	// work on at once; 0 sets no bound of its own.
	WorkersPerImport int `name:"workers-per-import" env:"TALLYMAN_WORKERS_PER_IMPORT" default:"0" placeholder:"N" help:"Batches of one import to work on at once, on all nodes together; 0 is no limit. Give every node the same."`
	// RescueAfter is how long a batch may show no sign of life before it is
	// given a new job.
	RescueAfter time.Duration `name:"rescue-after" env:"TALLYMAN_RESCUE_AFTER" default:"6s" placeholder:"TIME" help:"How long a batch may stand still before another worker takes it (${default})."`
	// MinFree is the room that is kept free on the disks that this node writes to;
	// 0 keeps none.
	MinFree Bytes `name:"min-free" env:"TALLYMAN_MIN_FREE" default:"512MiB" placeholder:"SIZE" help:"Room to keep free on the disk: with less, imports wait (${default}); 0 is none."`
}

// WorkerCount is Workers with the number of cores in place of 0.
func (w Work) WorkerCount() int {
	if w.Workers == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return w.Workers
}

// Retention is how long the ledger keeps what it knows of an import. Counts are
// kept for ever.
type Retention struct {
	// KeepImages is how long an import can be undone, from its end on.
	KeepImages Span `name:"keep-images" env:"TALLYMAN_KEEP_IMAGES" default:"30d" placeholder:"TIME" help:"How long old values are kept, and so how long an import can be undone (${default})."`
	// KeepOutcomes is how long it is known what became of each row.
	KeepOutcomes Span `name:"keep-outcomes" env:"TALLYMAN_KEEP_OUTCOMES" default:"400d" placeholder:"TIME" help:"How long it is known what became of each row (${default})."`
	// KeepRequests is how long an Idempotency-Key is good.
	KeepRequests Span `name:"keep-requests" env:"TALLYMAN_KEEP_REQUESTS" default:"24h" placeholder:"TIME" help:"How long a request's Idempotency-Key is good (${default})."`
	// KeepFiles is how long an import's file is kept, from its end on.
	KeepFiles Span `name:"keep-files" env:"TALLYMAN_KEEP_FILES" default:"90d" placeholder:"TIME" help:"How long the file of an import is kept, and so its failed rows can be downloaded (${default})."`
	// KeepAudit is how long it is known who did what.
	KeepAudit Span `name:"keep-audit" env:"TALLYMAN_KEEP_AUDIT" default:"400d" placeholder:"TIME" help:"How long it is known who did what (${default})."`
}

// Logging is what the program says about itself.
type Logging struct {
	// LogLevel is the least level logged.
	LogLevel slog.Level `name:"log-level" env:"TALLYMAN_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"Least level logged: debug, info, warn or error (${default})."`
	// LogFormat is text or json.
	LogFormat string `name:"log-format" env:"TALLYMAN_LOG_FORMAT" default:"text" placeholder:"FORMAT" help:"Form of the log: text or json (${default})."`
}
