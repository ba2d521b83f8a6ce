//go:build !race

package main

// killRows is how many rows the file of the kill test has.
const killRows = 100_000
