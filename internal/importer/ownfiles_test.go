package importer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/internal/importer"
)

// What belongs to another database by now is left alone, by tidying and retention.
func TestFilesOfAnotherDatabaseStay(t *testing.T) {
	others := errors.New("another's")
	var err error
	a := newAging(t, func(c *importer.Config) {
		c.KeepFiles, c.MayDelete = 60*day, func(context.Context) error { return err }
	})
	ctx := context.Background()
	a.upload("a.csv", "sku,title,price\nA,a,1\n")
	if _, err := a.svc.Receive(ctx, a.ws, "rest", "", "lost.csv", strings.NewReader("sku,title\nL,l\n")); err != nil {
		t.Fatal(err)
	}
	before := a.keysOf()
	a.at, err = time.Now().Add(61*day), others
	if got := []error{a.svc.Tidy(ctx), a.svc.Retain(ctx)}; !errors.Is(got[0], others) || !errors.Is(got[1], others) {
		t.Errorf("they said %v", got)
	}
	if left := a.keysOf(); !slices.Equal(left, before) {
		t.Errorf("of %v are left %v", before, left)
	}
	err = nil
	if got := errors.Join(a.svc.Tidy(ctx), a.svc.Retain(ctx)); got != nil || len(a.keysOf()) != 0 {
		t.Errorf("%v, left are %v", got, a.keysOf())
	}
}

func TestOwnKey(t *testing.T) {
	for key, own := range map[string]bool{
		"w1/uploads/01J/a.csv": true, "w12/imports/3/rows": true, "w9/uploads/x": true,
		"": false, "w1": false, "w1/uploads": false, "w1/uploads/": false, "w/uploads/x": false, "wx/uploads/x": false, "w-1/uploads/x": false,
		"x1/uploads/x": false, "1/uploads/x": false, "w1/other/x": false, "backup/w1/uploads/x": false, "uploads/x": false, "w1x/imports/x": false,
	} {
		if importer.OwnKey(key) != own {
			t.Errorf("%q: %v, want %v", key, !own, own)
		}
	}
}
