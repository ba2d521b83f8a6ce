package store

import "fmt"

// Migrate says what it does to a database's tables to open it. They may be in use
// by programs of another version, so not everybody who looks in may change them.
type Migrate int

const (
	// MigrateAlways makes the tables where there are none and brings older ones up
	// to date.
	MigrateAlways Migrate = iota
	// MigrateEmpty makes them where there are none; older ones are an error.
	MigrateEmpty
	// MigrateNever changes nothing; older tables are an error, and none are too.
	MigrateNever
)

// Allows returns an *OldTablesError where tables of version have, 0 for none, must
// stay as they are though the program needs version newest.
func (m Migrate) Allows(have, newest int64) error {
	if have >= newest || m == MigrateAlways || m == MigrateEmpty && have == 0 {
		return nil
	}
	return &OldTablesError{Have: have, Newest: newest}
}

// OldTablesError says that a database was not opened because its tables are older
// than the program, or missing, and it may not bring them up to date.
type OldTablesError struct {
	Have, Newest int64 // Have is 0 where there are no tables
}

func (e *OldTablesError) Error() string {
	if e.Have == 0 {
		return "there are no tables of this program"
	}
	return fmt.Sprintf("tables are of version %d, this program needs %d", e.Have, e.Newest)
}
