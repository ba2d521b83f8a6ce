package tabular_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/internal/tabular"
	"tallyman/internal/tabular/tabulartest"
)

// ruleCase is a text and its records: each as its cells joined by "|", with the
// code of its problem in front, as in "unclosed_quote: a|b".
type ruleCase struct {
	name string
	text string
	want []string
	// delim is a comma unless given; cr says that a lone CR ends records; one
	// says that the file has one column.
	delim   string
	cr, one bool
	lim     tabular.Limits
}

var ruleCases = []ruleCase{
	{name: "plain", text: "a,b,c\n1,2,3\n", want: []string{"a|b|c", "1|2|3"}},
	{name: "no line end at the end", text: "a,b\n1,2", want: []string{"a|b", "1|2"}},
	{name: "crlf", text: "a,b\r\n1,2\r\n", want: []string{"a|b", "1|2"}},
	{name: "crlf cut at the end of the file", text: "a,b\r\n1,2\r", want: []string{"a|b", "1|2"}},
	{name: "mixed line ends", text: "a,b\r\n1,2\n3,4\r\n", want: []string{"a|b", "1|2", "3|4"}},
	{name: "empty cells", text: ",\n,,\na,\n,b\n", want: []string{"|", "||", "a|", "|b"}},
	{name: "blanks belong to the cell", text: " a , b\n", want: []string{" a | b"}},
	{name: "semicolons", delim: ";", text: "a;1,5\n", want: []string{"a|1,5"}},
	{name: "pipes", delim: "|", text: "a|b,c\n", want: []string{"a|b,c"}},
	{name: "tabs", delim: "\t", text: "a\t b \t\t\n", want: []string{"a| b ||"}},

	{name: "quoted", text: "\"a\",\"b,c\"\n", want: []string{"a|b,c"}},
	{name: "quoted with line ends", text: "\"a\nb\",\"c\r\nd\",\"e\rf\"\n1,2,3\n", want: []string{"a\nb|c\r\nd|e\rf", "1|2|3"}},
	{name: "doubled quotes", text: "\"a \"\"b\"\" c\",\"\"\"\",\"\"\"x\"\"\"\n", want: []string{`a "b" c|"|"x"`}},
	{name: "empty quoted", text: "\"\",\"\"\n\"\"", want: []string{"|", ""}},
	{name: "blanks around quotes", text: "  \"a\"  ,\t\"b\"\t\n\"c\"  ", want: []string{"a|b", "c"}},
	{name: "no-break space is no blank", text: "\u00a0\"a\",b\n", want: []string{"\u00a0\"a\"|b"}},
	{name: "a tab is no blank between tabs", delim: "\t", text: "\t\"a\"\t\"b\"\n", want: []string{"|a|b"}},
	{name: "inch marks", text: "15\" bowl,3\" x 4\"\n", want: []string{`15" bowl|3" x 4"`}},
	{name: "quotes not doubled inside", text: "\"a \"b\" c\",d\n", want: []string{`a "b" c|d`}},
	{name: "text behind a closing quote", text: "\"a\" b,c\",d\n", want: []string{`a" b,c|d`}},
	{name: "json", text: "1,\"{\"\"a\"\": [1, \"\"b\"\"]}\"\n", want: []string{`1|{"a": [1, "b"]}`}},
	{name: "quote closed by the end of the file", text: "a,\"b\"", want: []string{"a|b"}},
	{name: "quote closed by crlf cut at the end", text: "a,\"b\"\r", want: []string{"a|b"}},
	{name: "a lone CR is text", text: "a\rb,\"c\"\rd\",e\n", want: []string{"a\rb|c\"\rd|e"}},
	{name: "a second CR is text", text: "a\r\r\n", want: []string{"a\r"}},

	{name: "lone CR ends records", cr: true, text: "a,b\r1,\"2\r3\"\r\"4\",5\r", want: []string{"a|b", "1|2\r3", "4|5"}},
	{name: "other ends in a file of CRs", cr: true, text: "a,b\r\n1,2\n3,4\r", want: []string{"a|b", "1|2", "3|4"}},

	{name: "blank lines", text: "\na,b\n\r\n  \t \n1,2\n\n", want: []string{"a|b", "1|2"}},
	{name: "delimiters alone are a record", text: "a,b\n,\n", want: []string{"a|b", "|"}},
	{name: "tabs alone are a record between tabs", delim: "\t", text: "a\tb\n\t\n \n", want: []string{"a|b", "|"}},
	{name: "an empty quoted cell is a record", text: "a,b\n\"\"\n", want: []string{"a|b", ""}},
	{name: "blanks in the only column", one: true, text: "a\n  \n\n\"\"\nb\n", want: []string{"a", "  ", "", "b"}},

	{name: "unclosed at the end", text: "a,b\n1,\"2\n3,4\n5,6", want: []string{"a|b", "unclosed_quote: 1|2", "3|4", "5|6"}},
	{name: "unclosed, then quotes as text", text: "\"a\nb \"x\" y\nc,d\n", want: []string{"unclosed_quote: a", "b \"x\" y", "c|d"}},
	{name: "unclosed behind lines that are closed", text: "\"a\nb\",\"c\nd,e\n", want: []string{"unclosed_quote: a\nb|c", "d|e"}},
	{name: "unclosed on the last line", text: "a\n\"", want: []string{"a", "unclosed_quote: "}},
	{name: "every line unclosed", text: "\"a\n\"b\n\"c\n", want: []string{"unclosed_quote: a", "unclosed_quote: b", "unclosed_quote: c"}},
	{name: "closed within the bound", lim: tabular.Limits{RecordBytes: 8}, text: "\"23\n567\"\nx\n", want: []string{"23\n567", "x"}},
	{name: "closed behind the bound", lim: tabular.Limits{RecordBytes: 7}, text: "\"23\n567\"\nx\n", want: []string{"unclosed_quote: 23", "567\"", "x"}},
	{name: "a quote at the very bound of another", lim: tabular.Limits{RecordBytes: 4}, text: "\"ab\n\"\nx\n", want: []string{"unclosed_quote: ab", "unclosed_quote: ", "x"}},
	{name: "unclosed in a line beyond the bound", lim: tabular.Limits{RecordBytes: 4}, text: "1,\"345678\nx\n", want: []string{"unclosed_quote: 1|3", "x"}},

	{name: "just as large as a record may be", lim: tabular.Limits{RecordBytes: 4}, text: "1234\r\n1,34\n12\n", want: []string{"1234", "1|34", "12"}},
	{name: "too large", lim: tabular.Limits{RecordBytes: 4}, text: "12345\n1,3,56\n12\n", want: []string{"record_too_large: ", "record_too_large: 1|3", "12"}},
	{name: "too large by quoted cells", lim: tabular.Limits{RecordBytes: 6}, text: "\"1\n3\",\"\n\",\"a\",z\n12\n", want: []string{"record_too_large: 1\n3", "12"}},
	{name: "too large and unclosed", lim: tabular.Limits{RecordBytes: 4}, text: "1,34,\"ab\ncd\nef\n", want: []string{"record_too_large: 1|34", "cd", "ef"}},
	{name: "blanks beyond the bound", lim: tabular.Limits{RecordBytes: 4}, text: "      \n   \nx\n", want: []string{"record_too_large: ", "x"}},

	{name: "too many columns", lim: tabular.Limits{Columns: 2}, text: "1,2\n1,2,3\n\"1\",2,,\n", want: []string{"1|2", "column_count: 1|2", "column_count: 1|2"}},
	{name: "not utf-8", text: "a,b\n1,\xff2\n3,4\n", want: []string{"a|b", "bad_encoding: 1|\ufffd2", "3|4"}},
	{name: "the character that stands for none", text: "a,\ufffd\n", want: []string{"a|\ufffd"}},
	{name: "nul", text: "a,b\n1,\x00\n3,4\n", want: []string{"a|b", "invalid_record: 1|\x00", "3|4"}},
	{name: "other letters", text: "é,漢字,🙂\n", want: []string{"é|漢字|🙂"}},

	{name: "letters with a delimiter's bits", text: "Ьaaaaaaa,bbbbbЬb\n", want: []string{"Ьaaaaaaa|bbbbbЬb"}},

	{name: "nothing", text: "", want: nil},
	{name: "only blank lines", text: "\n \n\r\n", want: nil},
}

func (c *ruleCase) layout() *tabular.Layout {
	l := &tabular.Layout{Format: tabular.CSV, Delimiter: ",", RecordEnd: "\n", Header: []string{"first", "second"}, DataRow: 1, DataLine: 1}
	if c.delim != "" {
		l.Delimiter = c.delim
	}
	if c.cr {
		l.RecordEnd = "\r"
	}
	if c.one {
		l.Header = l.Header[:1]
	}
	return l
}

func TestDecodeRules(t *testing.T) {
	for _, c := range ruleCases {
		t.Run(c.name, func(t *testing.T) {
			rows := tabulartest.Run(t, tabulartest.File{Data: []byte(c.text), Layout: c.layout(), Limits: c.lim})
			var got []string
			for _, r := range rows {
				s := strings.Join(r.Cells, "|")
				if r.Problem != nil {
					s = string(r.Problem.Code) + ": " + s
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecodeLines checks on which physical line each record begins, and its
// number, past everything that takes more lines or fewer numbers.
func TestDecodeLines(t *testing.T) {
	small := tabular.Limits{RecordBytes: 8}
	for _, c := range []struct {
		ruleCase
		lines, numbers []int64
	}{
		{ruleCase{text: "a\n\n\"b\nb\r\nb\"\r\nc\rc\nd"}, []int64{1, 3, 6, 7}, []int64{1, 3, 4, 5}},
		{ruleCase{cr: true, text: "a\r\r\"b\rb\r\nb\nb\"\rc\r\nd\ne"}, []int64{1, 3, 7, 8, 9}, []int64{1, 3, 4, 5, 6}},
		{ruleCase{cr: true, text: "\"b\rb\"\rc"}, []int64{1, 3}, []int64{1, 2}},
		{ruleCase{text: "\"a\nb\",\"c\nd\ne"}, []int64{1, 3, 4}, []int64{1, 2, 3}},
		{ruleCase{lim: small, text: "1,2,3,4,5,\"6\n7\",\"\n\n\",8\nx\n"}, []int64{1, 5}, []int64{1, 2}},
		{ruleCase{lim: small, text: "1,2,3,4,5,\"6\n7\",\"bcdefghijk\nx\n"}, []int64{1, 3}, []int64{1, 2}},
		{ruleCase{lim: small, text: "\"\n\",\"\n123456789\n\"x\n"}, []int64{1, 3, 4}, []int64{1, 2, 3}},
		{ruleCase{lim: small, cr: true, text: "1,2,3,4,5,\"6\r7\r\n8\",\"\n\"\r\nx\r"}, []int64{1, 5}, []int64{1, 2}},
	} {
		rows := tabulartest.Run(t, tabulartest.File{Data: []byte(c.text), Layout: c.layout(), Limits: c.lim})
		var lines, numbers []int64
		for _, r := range rows {
			lines, numbers = append(lines, r.Line), append(numbers, r.Number)
		}
		if !slices.Equal(lines, c.lines) || !slices.Equal(numbers, c.numbers) {
			t.Errorf("%q: records on lines %d with numbers %d, want %d and %d", c.text, lines, numbers, c.lines, c.numbers)
		}
	}
}
