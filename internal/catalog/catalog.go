// Package catalog is the domain: kinds of items and the properties they
// declare, values in canonical form, items, the changes that rows ask for, and
// Decide, the one place where semantics live. It also holds what the domain
// knows by itself: product identifiers, currencies, decimals and dates, the
// problem codes, and the kinds of request errors.
//
// What does not belong here: anything that reads or writes (files, databases,
// the network), anything that knows a file format, a front door or a job. The
// package imports no other package of this module and does no I/O, so that a
// plan, an import, a retry and an undo can all call the same functions and get
// the same answers.
package catalog
