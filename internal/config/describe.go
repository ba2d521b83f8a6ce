package config

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// Setting is one setting as people may see it.
type Setting struct {
	Name  string // of its flag, without the dashes
	Env   string // its environment variable
	Value string // without secrets
	// Default says that the value is the one the program has by itself.
	Default bool
}

// Describe lists every setting in the order of the struct, secrets redacted.
func (c Config) Describe() []Setting {
	return describe(reflect.ValueOf(c))
}

func describe(group reflect.Value) []Setting {
	var all []Setting
	for field, value := range group.Fields() {
		if field.Anonymous {
			all = append(all, describe(value)...)
			continue
		}
		all = append(all, describeField(field.Tag, value.Interface()))
	}
	return all
}

func describeField(tag reflect.StructTag, value any) Setting {
	text := fmt.Sprint(value)
	if level, ok := value.(slog.Level); ok {
		text = strings.ToLower(level.String())
	}
	s := Setting{Name: tag.Get("name"), Env: tag.Get("env"), Value: text, Default: text == tag.Get("default")}
	switch what, secret := tag.Lookup(secretTag); {
	case secret && what == secretPath:
		s.Value = redactPath(text)
	case secret:
		s.Value = redact(text)
	case s.Name == "files":
		s.Value = redactFiles(text)
	}
	return s
}
