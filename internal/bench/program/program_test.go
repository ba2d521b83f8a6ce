package program

import "testing"

func TestField(t *testing.T) {
	for column, want := range map[string]string{"sku": "sku", "model": "attributes.model", "attr_color": "attributes.color", "quantity": "stock"} {
		if got := Field(column); got != want {
			t.Errorf("column %s means %s, want %s", column, got, want)
		}
	}
}
