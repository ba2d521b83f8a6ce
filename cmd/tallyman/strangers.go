package main

import (
	"os"

	"github.com/alecthomas/kong"

	"tallyman/internal/config"
)

// strangers are sentences about variables of the environment that look like
// settings and are none.
func (p *program) strangers() ([]string, error) {
	var cli commands
	exited := -1
	parser, err := kong.New(&cli, p.grammar(&exited)...)
	if err != nil {
		return nil, err
	}
	return config.Strangers(os.Environ(), variables(parser.Model.Node)), nil
}

// variables are the names of the environment variables of a command and of those
// below it.
func variables(of *kong.Node) []string {
	var names []string
	for _, flag := range of.Flags {
		for _, env := range flag.Envs {
			names = append(names, env)
			if flag.Tag.Has("secret") {
				names = append(names, env+"_FILE")
			}
		}
	}
	for _, child := range of.Children {
		names = append(names, variables(child)...)
	}
	return names
}

// warnOfStrangers says in a node's log what of its environment sets nothing.
func (p *program) warnOfStrangers(set *settings) error {
	all, err := p.strangers()
	for _, sentence := range all {
		set.log.Warn(sentence)
	}
	return err
}
