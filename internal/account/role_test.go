package account

import (
	"slices"
	"testing"
)

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		role Role
		may  []Role
	}{
		{Read, []Role{Read}},
		{Import, []Role{Read, Import}},
		{Admin, []Role{Read, Import, Admin}},
		{"", nil},
		{"owner", nil},
	} {
		for _, need := range []Role{Read, Import, Admin, "", "owner"} {
			if got, want := c.role.Allows(need), slices.Contains(c.may, need); got != want {
				t.Errorf("%q allows %q: %v, want %v", c.role, need, got, want)
			}
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, role := range Roles() {
		if got, err := ParseRole(string(role)); err != nil || got != role {
			t.Errorf("ParseRole(%q) = %q, %v", role, got, err)
		}
	}
	for _, name := range []string{"", "Admin", "read ", "owner"} {
		if got, err := ParseRole(name); err == nil || got.Allows(Read) {
			t.Errorf("ParseRole(%q) = %q, %v, want an error", name, got, err)
		}
	}
}
