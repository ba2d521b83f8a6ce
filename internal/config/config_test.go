package config

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// parse reads settings as a command that embeds them does.
func parse(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	var cli struct {
		Serve struct{ Config } `cmd:""`
	}
	k, err := kong.New(&cli, kong.Name("tallyman"), kong.Resolvers(SecretFiles()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(append([]string{"serve"}, args...))
	return cli.Serve.Config, err
}

// clearEnv keeps the settings of whoever runs the tests out of them.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TALLYMAN_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
}

func TestDefaults(t *testing.T) {
	clearEnv(t)
	c, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{"data", "TALLYMAN_DATA", "./tallyman-data", true},
		{"database", "TALLYMAN_DATABASE", "", true},
		{"files", "TALLYMAN_FILES", "", true},
		{"listen", "TALLYMAN_LISTEN", "127.0.0.1:8080", true},
		{"base-url", "TALLYMAN_BASE_URL", "", true},
		{"trusted-proxies", "TALLYMAN_TRUSTED_PROXIES", "", true},
		{"rate-limit", "TALLYMAN_RATE_LIMIT", "0", true},
		{"rate-limit-day", "TALLYMAN_RATE_LIMIT_DAY", "0", true},
		{"max-upload", "TALLYMAN_MAX_UPLOAD", "0B", true},
		{"shutdown-timeout", "TALLYMAN_SHUTDOWN_TIMEOUT", "30s", true},
		{"node", "TALLYMAN_NODE", "", true},
		{"workers", "TALLYMAN_WORKERS", "0", true},
		{"workers-per-import", "TALLYMAN_WORKERS_PER_IMPORT", "0", true},
		{"rescue-after", "TALLYMAN_RESCUE_AFTER", "6s", true},
		{"min-free", "TALLYMAN_MIN_FREE", "512MiB", true},
		{"keep-images", "TALLYMAN_KEEP_IMAGES", "30d", true},
		{"keep-outcomes", "TALLYMAN_KEEP_OUTCOMES", "400d", true},
		{"keep-requests", "TALLYMAN_KEEP_REQUESTS", "24h", true},
		{"keep-files", "TALLYMAN_KEEP_FILES", "90d", true},
		{"keep-audit", "TALLYMAN_KEEP_AUDIT", "400d", true},
		{"log-level", "TALLYMAN_LOG_LEVEL", "info", true},
		{"log-format", "TALLYMAN_LOG_FORMAT", "text", true},
		{"metrics", "TALLYMAN_METRICS", "on", true},
		{"metrics-listen", "TALLYMAN_METRICS_LISTEN", "", true},
		{"otlp-endpoint", "TALLYMAN_OTLP_ENDPOINT", "", true},
		{"trace-ratio", "TALLYMAN_TRACE_RATIO", "1", true},
		{"trace-chunks", "TALLYMAN_TRACE_CHUNKS", "false", true},
	}
	if diff := cmp.Diff(want, c.Describe()); diff != "" {
		t.Errorf("Describe (-want +got):\n%s", diff)
	}
}

func TestFlagsAndEnvironment(t *testing.T) {
	clearEnv(t)
	t.Setenv("TALLYMAN_MAX_UPLOAD", "512MB")
	t.Setenv("TALLYMAN_WORKERS", "3")
	t.Setenv("TALLYMAN_LOG_LEVEL", "DEBUG")
	c, err := parse(t, "--workers=5", "--data=/srv/tallyman", "--rescue-after=1m", "--log-format=json")
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]string{}
	for _, s := range c.Describe() {
		if !s.Default {
			changed[s.Name] = s.Value
		}
	}
	want := map[string]string{
		"max-upload": "512MB", "workers": "5", "log-level": "debug",
		"data": "/srv/tallyman", "rescue-after": "1m0s", "log-format": "json",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("changed settings (-want +got):\n%s", diff)
	}
	if c.MaxUpload != 512_000_000 {
		t.Errorf("MaxUpload = %d bytes", int64(c.MaxUpload))
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		arg  string
		want []string // parts of the error
		not  string   // what it must not show
	}{
		{"--data=", []string{"--data", "TALLYMAN_DATA", "must name a folder"}, ""},
		{"--database=mysql://me:geheim@host/x", []string{"--database", "TALLYMAN_DATABASE", "postgres://"}, "geheim"},
		{"--database=tallyman", []string{"--database", "postgres://"}, ""},
		{"--files=gs://bucket", []string{"--files", "TALLYMAN_FILES", "s3://"}, ""},
		{"--listen=8080", []string{"--listen", `"8080"`, "HOST:PORT"}, ""},
		{"--listen=localhost:http", []string{"--listen", `"localhost:http"`}, ""},
		{"--listen=:65536", []string{"--listen", `":65536"`}, ""},
		{"--base-url=tallyman.example.com", []string{"--base-url", "https://tallyman.example.com"}, ""},
		{"--base-url=ftp://tallyman.example.com", []string{"--base-url"}, ""},
		{"--base-url=https://tallyman.example.com/?a=b", []string{"--base-url"}, ""},
		{"--base-url=https://me:hidden@tallyman.example.com", []string{"--base-url"}, "hidden"},
		{"--rate-limit=-1", []string{"--rate-limit ", `"-1"`, "negative"}, ""},
		{"--rate-limit-day=-2", []string{"--rate-limit-day", `"-2"`, "negative"}, ""},
		{"--max-upload=-1", []string{"--max-upload", `"-1"`}, ""},
		{"--max-upload=512M", []string{"--max-upload", `"512M"`, "512MB"}, ""},
		{"--shutdown-timeout=-1s", []string{"--shutdown-timeout", `"-1s"`, "negative"}, ""},
		{"--workers=-1", []string{"--workers", `"-1"`, "0 (one for each core) to 256"}, ""},
		{"--workers=257", []string{"--workers", `"257"`}, ""},
		{"--workers=many", []string{"--workers", `"many"`}, ""},
		{"--workers-per-import=-1", []string{"--workers-per-import", `"-1"`, "0 (no limit) to 256"}, ""},
		{"--node=my node", []string{"--node", "TALLYMAN_NODE", `"my node"`, "at most 60 letters"}, ""},
		{"--min-free=-1", []string{"--min-free", `"-1"`}, ""},
		{"--rescue-after=2s", []string{"--rescue-after", `"2s"`, "at least 3s"}, ""},
		{"--keep-images=30", []string{"--keep-images", `"30"`, "30d"}, ""},
		{"--keep-images=0s", []string{"--keep-images", `"0s"`, "above zero"}, ""},
		{"--keep-requests=-1h", []string{"--keep-requests", `"-1h"`}, ""},
		{"--keep-files=29d", []string{"--keep-files", "--keep-images, 30d"}, ""},
		{"--keep-audit=0d", []string{"--keep-audit", "above zero"}, ""},
		{"--trusted-proxies=proxy.example.com", []string{"--trusted-proxies", `"proxy.example.com"`, "10.0.0.0/8"}, ""},
		{"--trusted-proxies=10.0.0.1,10.0.0.0/33", []string{"--trusted-proxies", `"10.0.0.0/33"`}, ""},
		{"--keep-outcomes=29d", []string{"--keep-outcomes", `"29d"`, "--keep-images, 30d"}, ""},
		{"--log-level=loud", []string{"--log-level", "loud"}, ""},
		{"--log-format=xml", []string{"--log-format", `"xml"`, "text or json"}, ""},
		{"--metrics=yes", []string{"--metrics", `"yes"`, "on or off"}, ""},
		{"--metrics-listen=9090", []string{"--metrics-listen", "TALLYMAN_METRICS_LISTEN", `"9090"`, "HOST:PORT"}, ""},
		{"--otlp-endpoint=localhost:4318", []string{"--otlp-endpoint", "http://localhost:4318"}, ""},
		{"--otlp-endpoint=https://me:hidden@collector", []string{"--otlp-endpoint", "OTEL_EXPORTER_OTLP_HEADERS"}, "hidden"},
		{"--trace-ratio=1.5", []string{"--trace-ratio", `"1.5"`, "0 to 1"}, ""},
		{"--trace-ratio=NaN", []string{"--trace-ratio", `"NaN"`}, ""},
	} {
		t.Run(c.arg, func(t *testing.T) {
			clearEnv(t)
			_, err := parse(t, c.arg)
			if err == nil {
				t.Fatal("was allowed")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("error %q shows the secret", err)
			}
		})
	}
}

func TestAllowedAtTheBounds(t *testing.T) {
	for _, arg := range []string{
		"--listen=:0", "--listen=[::1]:65535", "--base-url=https://tallyman.example.com/catalog/",
		"--workers=256", "--workers-per-import=256", "--node=shop-1.example.com/7_a", "--min-free=0", "--rescue-after=3s", "--shutdown-timeout=0s", "--max-upload=0", "--log-level=ERROR",
		"--keep-images=1s", "--keep-outcomes=30d", "--keep-requests=1ms",
		"--metrics=off", "--metrics-listen=:0", "--otlp-endpoint=https://collector/tenant", "--trace-ratio=0", "--trace-ratio=1",
	} {
		clearEnv(t)
		if _, err := parse(t, arg); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func TestValidateNamesEverySetting(t *testing.T) {
	err := Config{HTTP: HTTP{Listen: "x", RateLimit: -1}, Work: Work{Workers: -1}}.Validate()
	if err == nil {
		t.Fatal("was allowed")
	}
	for _, part := range []string{"--data", "--listen", "--rate-limit ", "--workers", "--rescue-after", "--log-format"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error does not name %s: %v", part, err)
		}
	}
}

// TestTags keeps the names in the error messages true, and every setting
// documented.
func TestTags(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if field.Anonymous {
			continue
		}
		tag := field.Tag
		if tag.Get("env") != envName(tag.Get("name")) || !strings.HasSuffix(tag.Get("help"), ".") {
			t.Errorf("%s has the tags %s", field.Name, tag)
		}
	}
}

// secretive is a command with settings and two secrets of its own.
type secretive struct {
	Config
	Key   string `name:"key" env:"TALLYMAN_KEY" secret:"" help:"A secret."`
	Token string `name:"token" env:"TALLYMAN_TOKEN" secret:"" help:"Another."`
}

func TestSecretFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for _, c := range []struct {
		name    string
		content string
		env     map[string]string
		args    []string
		want    string // the secret
		fault   string // part of the error, where there is one
	}{
		{"from the file", "from-file\r\n", map[string]string{"TALLYMAN_KEY_FILE": file}, nil, "from-file", ""},
		{"from the environment", "", map[string]string{"TALLYMAN_KEY": "from-env"}, nil, "from-env", ""},
		{"the flag goes before", "from-file", map[string]string{"TALLYMAN_KEY_FILE": file}, []string{"--key=from-flag"}, "from-flag", ""},
		{"both are set", "from-file", map[string]string{"TALLYMAN_KEY_FILE": file, "TALLYMAN_KEY": "from-env"}, nil, "", "set one of them"},
		{"no such file", "x", map[string]string{"TALLYMAN_TOKEN_FILE": file + ".none"}, nil, "", "TALLYMAN_TOKEN_FILE"},
		{"empty file", "\n", map[string]string{"TALLYMAN_TOKEN_FILE": file}, nil, "", "is empty"},
		{"only for secrets", "x", map[string]string{"TALLYMAN_DATA_FILE": file + ".none"}, nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			clearEnv(t)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var cli secretive
			k, err := kong.New(&cli, kong.Name("tallyman"), kong.Resolvers(SecretFiles()))
			if err != nil {
				t.Fatal(err)
			}
			_, err = k.Parse(c.args)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("error %v, want one with %q", err, c.fault)
				}
				return
			}
			if err != nil || cli.Key != c.want || cli.Data != "./tallyman-data" {
				t.Errorf("the secret is %q, the data folder %q, %v; want %q", cli.Key, cli.Data, err, c.want)
			}
		})
	}
}

func TestDescribeRedacts(t *testing.T) {
	for secret, want := range map[string]string{
		"":                                  "",
		"https://me:hidden@host:5432/x":     "https://me:xxxxx@host:5432/x",
		"https://me@host/x?password=hidden": "https://me@host/x?xxxxx",
		"host=host password=hidden":         "xxxxx",
		"hidden":                            "xxxxx",
		"https://me:12#hidden@host/x":       "xxxxx",
		"https://me:12/hidden@host/x":       "xxxxx",
		"https://me:12?hidden@host/x":       "xxxxx",
		"https://me:1@2/hidden@host/x":      "xxxxx",
	} {
		all := describe(reflect.ValueOf(secretive{Key: secret}))
		if got := all[len(all)-2]; got.Name != "key" || got.Value != want {
			t.Errorf("Describe shows %q as %+v, want %q", secret, got, want)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for _, c := range []struct{ listen, base, want string }{
		{"127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{":8080", "", "http://localhost:8080"},
		{"0.0.0.0:80", "", "http://localhost:80"},
		{"[::]:80", "", "http://localhost:80"},
		{"[::1]:80", "", "http://[::1]:80"},
		{":8080", "https://tallyman.example.com/", "https://tallyman.example.com"},
	} {
		if got := (HTTP{Listen: c.listen, BaseURL: c.base}).PublicURL(); got != c.want {
			t.Errorf("PublicURL of %q, %q = %q, want %q", c.listen, c.base, got, c.want)
		}
	}
}

func TestWorkerCount(t *testing.T) {
	if got := (Work{Workers: 7}).WorkerCount(); got != 7 {
		t.Errorf("WorkerCount of 7 = %d", got)
	}
	if got := (Work{}).WorkerCount(); got != runtime.GOMAXPROCS(0) {
		t.Errorf("WorkerCount of 0 = %d", got)
	}
}

func TestPaths(t *testing.T) {
	s := Storage{Data: "data"}
	for got, want := range map[string]string{s.DatabasePath(): "tallyman.db", s.FilesDir(): "files", s.ScratchDir(): "scratch"} {
		if got != filepath.Join("data", want) {
			t.Errorf("path %q, want data/%s", got, want)
		}
	}
}

// A bucket without both slashes is no folder: its files would lie on one machine.
func TestABucketIsNoFolder(t *testing.T) {
	for files, ok := range map[string]bool{
		"s3:/bucket": false, "s3:bucket": false, "S3:/bucket": false, "s3:": false, " s3:/b": false,
		"s3://bucket": true, "s3": true, "./s3:/bucket": true, "/srv/s3": true, "C:/files": true, "": true,
	} {
		if err := (Storage{Data: "d", Files: files}).Validate(); (err == nil) != ok {
			t.Errorf("%q: got %v", files, err)
		}
	}
}
