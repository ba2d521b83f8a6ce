package account

import (
	"fmt"
	"slices"
	"strings"
)

// Role is how much a key may do. Each role may do all that the ones before it
// may.
type Role string

const (
	Read   Role = "read"   // look at everything of the workspace
	Import Role = "import" // bring files in, move imports, export and undo
	Admin  Role = "admin"  // manage keys, sources and settings
)

// roles stand in rising order.
var roles = []Role{Read, Import, Admin}

// Roles returns every role, the weakest first.
func Roles() []Role { return slices.Clone(roles) }

// ParseRole returns the role of this name.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(roles, r) {
		return r, nil
	}
	return "", fmt.Errorf("role %q is none of %s", name, roleNames())
}

// Allows reports whether a key of role r may do what asks for need. A role that
// there is not allows nothing and nobody has it.
func (r Role) Allows(need Role) bool {
	needed := slices.Index(roles, need)
	return needed >= 0 && slices.Index(roles, r) >= needed
}

func roleNames() string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
