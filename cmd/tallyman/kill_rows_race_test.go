//go:build race

package main

// killRows is how many rows the file of the kill test has: with the race
// detector SQLite is many times slower.
const killRows = 8_000
