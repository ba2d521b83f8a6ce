//go:build !unix

package disk

// syncFolder does nothing: these systems cannot sync a folder.
func syncFolder(string) error { return nil }
