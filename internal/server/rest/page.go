package rest

import (
	"time"

	"tallyman/internal/store"
)

// Paging is what every listing takes (contract sources.md 1.3, conventions). Like
// the other parts of requests it is exported because huma does not look into
// embedded fields that are not.
type Paging struct {
	Page    int `query:"page" minimum:"1" maximum:"1000000000" default:"1" doc:"Page of the list, from 1"`
	PerPage int `query:"per_page" minimum:"1" maximum:"100" default:"20" doc:"Entries on a page"`
}

// span is the page as a range of the list.
func (p Paging) span() store.Range {
	return store.Range{Offset: (p.Page - 1) * p.PerPage, Limit: p.PerPage}
}

// Meta says which page of how many a listing is.
type Meta struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	Total      int `json:"total" doc:"Entries on all pages"`
	TotalPages int `json:"total_pages"`
}

func (p Paging) meta(total int) Meta {
	return Meta{Page: p.Page, PerPage: p.PerPage, Total: total, TotalPages: (total + p.PerPage - 1) / p.PerPage}
}

// List is one page of a listing.
type List[T any] struct {
	Data []T  `json:"data" nullable:"false"`
	Meta Meta `json:"meta"`
}

// stamp writes a time as this door does: UTC, whole seconds, Z.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func stampOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := stamp(*t)
	return &s
}
