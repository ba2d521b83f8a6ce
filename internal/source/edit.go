package source

// Edit is the source of imports of one row that a person makes by hand.
const Edit = "edit"

// edit reads the change of one item: a table of one row whose headings are the
// names of fields, found by the item's id. A blank cell clears its field, and
// "@delete" the item. Whoever imports says which kind the item is of, in a mode
// that updates.
func edit() Definition {
	return Definition{
		ID: Edit, Version: 1, Name: "Edit of one item", Kind: "product",
		Match: []string{"id"}, FieldNames: true, JSONLists: true, NoGuards: true, Blank: "clear", Decimal: "point",
		Columns: []Column{
			{Name: "id", Field: fieldID, Required: true},
			{Name: "@version", Field: fieldVersion},
			{Name: "@delete", Field: fieldDelete},
		},
	}
}
