// Package account knows who may do what: workspaces, API keys and their roles.
// Secrets are shown once and stored hashed.
//
// What does not belong here: reading headers and cookies (package server) and
// the tables that hold it all (package store).
package account
