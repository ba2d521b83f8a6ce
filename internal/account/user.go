package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
	"golang.org/x/text/unicode/norm"

	"tallyman/internal/audit"
	"tallyman/internal/catalog"
	"tallyman/internal/store"
)

// userPrefix begins a user's id; a ULID follows.
const userPrefix = "usr_"

// MaxUserName is how many characters a user's name may have.
const MaxUserName = 100

// UserName brings a name to the one form in which users are stored and compared:
// without blanks round it, in small letters, composed (NFC).
func UserName(name string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(name))))
}

// reservedNames are actors that are no users.
var reservedNames = []string{audit.Program, audit.Nobody, audit.Command}

func checkUserName(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case utf8.RuneCountInString(name) > MaxUserName:
		return fmt.Sprintf("must have at most %d characters", MaxUserName)
	case strings.ContainsFunc(name, notInNames):
		return "must be text on one line, without marks that cannot be seen"
	case slices.Contains(reservedNames, name):
		return "is a name that the program uses itself"
	}
	return ""
}

// notInNames reports whether a character is none that a person would type: two
// names that look alike must be alike. Bytes that were no UTF-8 are utf8.RuneError.
func notInNames(r rune) bool {
	return r != ' ' && (unicode.IsSpace(r) || !unicode.IsGraphic(r)) || r == utf8.RuneError
}

// CreateUser makes a user who may sign in to the workspace. A name, role or
// password that is not allowed is a *catalog.Fault of kind KindInvalid, a name that
// is taken one of kind KindConflict.
func (a *Accounts) CreateUser(ctx context.Context, ws store.WS, name string, role Role, password string) (store.User, error) {
	name = UserName(name)
	fields := map[string][]string{}
	for field, wrong := range map[string]string{"name": checkUserName(name), "role": checkRole(role), "password": checkPassword(name, password)} {
		if wrong != "" {
			fields[field] = []string{wrong}
		}
	}
	if err := invalid("The user is not valid.", fields); err != nil {
		return store.User{}, err
	}
	u, err := a.newUser(ctx, ws, name, role, password)
	if err == nil {
		err = a.store.CreateUser(ctx, ws, u)
	}
	if errors.Is(err, store.ErrExists) {
		return store.User{}, catalog.Faultf(catalog.KindConflict, "user_exists", "There already is a user %q.", name)
	}
	if err != nil {
		return store.User{}, fmt.Errorf("create user: %w", err)
	}
	return u, a.note(ctx, ws, audit.UserCreate, u.ID, audit.Detail{"name": name, "role": string(role)})
}

func (a *Accounts) newUser(ctx context.Context, ws store.WS, name string, role Role, password string) (store.User, error) {
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return store.User{}, fmt.Errorf("hash password: %w", err)
	}
	now := a.now()
	id, err := ulid.New(ulid.Timestamp(now), a.random)
	if err != nil {
		return store.User{}, fmt.Errorf("make id: %w", err)
	}
	return store.User{ID: userPrefix + id.String(), WS: ws, Name: name, Role: string(role), Password: hash, CreatedAt: now}, nil
}

func checkRole(role Role) string {
	if _, err := ParseRole(string(role)); err != nil {
		return "must be one of " + roleNames()
	}
	return ""
}

// Users lists a workspace's users by name, disabled ones too.
func (a *Accounts) Users(ctx context.Context, ws store.WS) ([]store.User, error) {
	users, err := a.store.Users(ctx, ws)
	return users, wrap("list users", err)
}

// SetRole changes what a user may do. A name that is no user's is a
// *catalog.Fault of kind KindNotFound, here and below.
func (a *Accounts) SetRole(ctx context.Context, ws store.WS, name string, role Role) (store.User, error) {
	if wrong := checkRole(role); wrong != "" {
		return store.User{}, invalid("The role is not valid.", map[string][]string{"role": {wrong}})
	}
	return a.changeUser(ctx, ws, name, audit.UserRole, func(u *store.User) audit.Detail {
		if u.Role == string(role) {
			return nil
		}
		d := audit.Detail{"name": u.Name, "role": string(role), "was": u.Role}
		u.Role = string(role)
		return d
	})
}

// SetPassword gives a user another password.
func (a *Accounts) SetPassword(ctx context.Context, ws store.WS, name, password string) (store.User, error) {
	if wrong := checkPassword(UserName(name), password); wrong != "" {
		return store.User{}, invalid("The password is not valid.", map[string][]string{"password": {wrong}})
	}
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return store.User{}, fmt.Errorf("hash password: %w", err)
	}
	return a.changeUser(ctx, ws, name, audit.UserPassword, func(u *store.User) audit.Detail {
		u.Password = hash
		return audit.Detail{"name": u.Name}
	})
}

// Disable keeps a user from signing in; one who is disabled stays so.
func (a *Accounts) Disable(ctx context.Context, ws store.WS, name string) (store.User, error) {
	return a.changeUser(ctx, ws, name, audit.UserDisable, func(u *store.User) audit.Detail {
		if u.DisabledAt != nil {
			return nil
		}
		now := a.now()
		u.DisabledAt = &now
		return audit.Detail{"name": u.Name}
	})
}

// Enable lets a user sign in again, with the role and password of before.
func (a *Accounts) Enable(ctx context.Context, ws store.WS, name string) (store.User, error) {
	return a.changeUser(ctx, ws, name, audit.UserEnable, func(u *store.User) audit.Detail {
		if u.DisabledAt == nil {
			return nil
		}
		u.DisabledAt = nil
		return audit.Detail{"name": u.Name}
	})
}

// changeUser stores and notes what change makes of a user; a nil detail says that
// it leaves the user as it is. Who is changed by somebody else at the same moment is
// read again.
func (a *Accounts) changeUser(ctx context.Context, ws store.WS, name, action string, change func(*store.User) audit.Detail) (store.User, error) {
	name = UserName(name)
	for {
		was, err := a.store.User(ctx, ws, name)
		if errors.Is(err, store.ErrNotFound) {
			return store.User{}, catalog.Faultf(catalog.KindNotFound, "not_found", "There is no user %q.", name)
		}
		if err != nil {
			return store.User{}, fmt.Errorf("read user: %w", err)
		}
		u := was
		d := change(&u)
		if d == nil {
			return u, nil
		}
		switch err := a.store.UpdateUser(ctx, ws, was, u); {
		case err == nil:
			return u, a.note(ctx, ws, action, u.ID, d)
		case !errors.Is(err, store.ErrRetry) || ctx.Err() != nil:
			return store.User{}, fmt.Errorf("change user: %w", err)
		}
	}
}
