package postgres_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"tallyman/internal/catalog"
	"tallyman/internal/store"
	"tallyman/internal/store/postgres"
	"tallyman/internal/store/postgres/pgtest"
)

// A key that no index takes is told apart from what may go well at another try.
func TestAKeyThatNoIndexTakes(t *testing.T) {
	db := open(t, pgtest.New(t), postgres.Options{})
	slug := make([]byte, 8000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range slug {
		slug[i] = byte('!' + random.IntN('~'-'!'))
	}
	it := catalog.Item{ID: "prd_1", Kind: catalog.KindProduct, Slug: string(slug), Doc: `{}`, Version: 1, CreatedAt: time.UnixMilli(1), UpdatedAt: time.UnixMilli(1)}
	err := db.Write(t.Context(), 1, false, func(tx store.Tx) error {
		return tx.Insert(t.Context(), db.Prepare(1, []catalog.Item{it}))
	})
	if !errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrRetry) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it said %v", err)
	}
}
