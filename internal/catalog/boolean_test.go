package catalog

import "testing"

func TestParseBoolean(t *testing.T) {
	testCells(t, ParseBoolean, []cellCase{
		good("true", "true"), good("TRUE", "true"), good(" True ", "true"), good("1", "true"), good("yes", "true"), good("Y", "true"),
		good("false", "false"), good("FALSE", "false"), good("0", "false"), good("No", "false"), good("n", "false"),
		bad("2", CodeInvalidBoolean), bad("ja", CodeInvalidBoolean), bad("tru", CodeInvalidBoolean), bad("1.0", CodeInvalidBoolean), bad("-", CodeInvalidBoolean),
	})
}
