package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// The codes that tell why nobody is let in.
const (
	codeWrongPassword   = "28P01"
	codeNotLetIn        = "28000"
	codeNoDatabase      = "3D000"
	codeNoSchema        = "3F000"
	codeNoRight         = "42501"
	codeTooManyConns    = "53300"
	codeWrongEncryption = "server refused TLS connection" // the driver has no code for it
)

// inWords words an error of connecting, or of what a new connection does first, in
// a sentence of our own with what to do. The driver's own words come once for each
// way in that it tried, and may hold parts of the address. An error that it knows
// nothing of stays as it is.
func inWords(err error) error {
	if _, is := errors.AsType[*unconnected](err); is || err == nil {
		return err
	}
	var at pgconn.Config
	connect, connecting := errors.AsType[*pgconn.ConnectError](err)
	if connecting && connect.Config != nil {
		at = *connect.Config
	}
	if s := sentence(&at, err, connecting); s != "" {
		return &unconnected{s, err}
	}
	if connecting {
		return explained(err)
	}
	return err
}

// sentence says what is wrong and what to do; "" where that is not known.
func sentence(at *pgconn.Config, err error, connecting bool) string {
	// Each way in that was tried has an error. What the server says is worth more
	// than that one of them was closed, and the last one was not the first choice.
	var said *pgconn.PgError
	var unknown *net.DNSError
	refused, timedOut := false, false
	eachCause(err, func(err error) {
		switch e := err.(type) {
		case *pgconn.PgError:
			said = e
		case *net.DNSError:
			unknown = e
		}
		refused = refused || err == syscall.ECONNREFUSED
		if n, ok := err.(net.Error); ok {
			timedOut = timedOut || n.Timeout()
		}
		timedOut = timedOut || err == context.DeadlineExceeded
	})
	switch {
	case said != nil:
		return spoken(said, connecting)
	case unknown != nil:
		return fmt.Sprintf("there is no host %q; correct the address", unknown.Name)
	case refused:
		return fmt.Sprintf("nothing listens at %s; start PostgreSQL there, or correct host and port in the address", address(at))
	case timedOut:
		return fmt.Sprintf("%s does not answer in time; is it running, and does the network let this machine through?", address(at))
	}
	return untrusted(at, err)
}

// spoken words what the server says. What it says of a connection that is being
// made may quote settings of the address.
func spoken(e *pgconn.PgError, connecting bool) string {
	switch e.Code {
	case codeWrongPassword:
		return "the server does not take the user and the password; check TALLYMAN_DATABASE, or the file in TALLYMAN_DATABASE_FILE"
	case codeNotLetIn:
		return fmt.Sprintf("the server does not let this user in: %s; make the role (createuser), correct the user in the address, or allow it in pg_hba.conf", e.Message)
	case codeNoDatabase:
		return "the server has no database of this name; make it (createdb), or correct the name in the address"
	case codeTooManyConns:
		return "the server has no connection left; raise its max_connections, or let nodes open fewer with pool_max_conns in the address"
	case codeNoRight, codeNoSchema:
		said := ""
		if !connecting {
			said = " (" + e.Message + ")"
		}
		return "the user of the address lacks a right" + said + "; its owner gives it with GRANT CONNECT ON DATABASE … and GRANT USAGE, CREATE ON SCHEMA public TO …"
	case codeReadOnly:
		return "the server takes no writes: it is a standby, or set to read-only; name the primary in the address"
	case codeCannotConnect:
		return "the server starts, stops or recovers just now; try again in a moment"
	}
	return ""
}

// untrusted words what TLS has against a connection.
func untrusted(at *pgconn.Config, err error) string {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	if record || strings.Contains(err.Error(), codeWrongEncryption) {
		return fmt.Sprintf("%s speaks no TLS and the address asks for it; set ssl = on there, or sslmode=prefer in the address", address(at))
	}
	_, name := errors.AsType[x509.HostnameError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[*tls.CertificateVerificationError](err)
	if name || authority || invalid {
		return fmt.Sprintf("the certificate of %s is not accepted; name its authority with sslrootcert in the address, and the host by the certificate's name", address(at))
	}
	return ""
}

func address(at *pgconn.Config) string {
	if strings.HasPrefix(at.Host, "/") {
		return at.Host
	}
	return net.JoinHostPort(at.Host, fmt.Sprint(at.Port))
}

// eachCause calls do with an error and all that it wraps.
func eachCause(err error, do func(error)) {
	if err == nil {
		return
	}
	do(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		eachCause(e.Unwrap(), do)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			eachCause(err, do)
		}
	}
}
