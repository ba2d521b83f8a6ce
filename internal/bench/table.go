package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// aims are the ratios that are wanted: of an import, the loader's time to ours; of
// a pass, our time to the import's. They are printed beside what was measured and
// never fail a run.
var aims = map[string]string{caseCreate: "1.00", caseSame: "2.60", caseUpdate: "1.10", caseFeeds: "1.00", caseBad: "1.00",
	passPlanCreate: "1.20", passPlanUpdate: "1.20", passUndoCreate: "1.00", passUndoUpdate: "1.00"}

// table collects results and prints them.
type table struct{ results []result }

func (t *table) add(results []result) { t.results = append(t.results, results...) }

// print prints the imports against the loader, then the passes against the
// imports.
func (t *table) print(w io.Writer) error {
	passes := slices.IndexFunc(t.results, isPass) >= 0
	if err := t.printImports(w); err != nil || !passes {
		return err
	}
	fmt.Fprintln(w)
	return t.printPasses(w)
}

func isPass(r result) bool { return r.base > 0 }

func (t *table) printImports(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "case\trows\tours rows/s\tengine rows/s\tloader rows/s\tratio\taim\tpeak MiB\tdatabase MiB\t")
	for _, r := range t.results {
		if isPass(r) {
			continue
		}
		loader, ratio, aim := "-", "-", ""
		if r.loader > 0 {
			loader, ratio, aim = rate(r.rows, r.loader), fmt.Sprintf("%.2f", float64(r.loader)/float64(r.ours)), aims[r.name]
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t\n", r.name, r.rows, rate(r.rows, r.ours), rate(r.rows, r.engine),
			loader, ratio, aim, mebibytes(r.peak), mebibytes(r.size))
	}
	return tw.Flush()
}

func (t *table) printPasses(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "pass\trows\tseconds\timport seconds\tratio\taim\tpeak MiB\timport peak MiB\tdatabase MiB\t")
	for _, r := range t.results {
		if !isPass(r) {
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t%.2f\t%.2f\t%.2f\t%s\t%.0f\t%.0f\t%.0f\t\n", r.name, r.rows, r.ours.Seconds(), r.base.Seconds(),
			float64(r.ours)/float64(r.base), aims[r.name], mebibytes(r.peak), mebibytes(r.basePeak), mebibytes(r.size))
	}
	return tw.Flush()
}

func rate(rows uint64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(rows)/d.Seconds())
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// medians joins the results of several trials, case by case.
func medians(trials [][]result) []result {
	out := slices.Clone(trials[0])
	for i := range out {
		out[i].ours = median(trials, func(t []result) time.Duration { return t[i].ours })
		out[i].engine = median(trials, func(t []result) time.Duration { return t[i].engine })
		out[i].loader = median(trials, func(t []result) time.Duration { return t[i].loader })
		out[i].base = median(trials, func(t []result) time.Duration { return t[i].base })
		out[i].peak = median(trials, func(t []result) int64 { return t[i].peak })
		out[i].basePeak = median(trials, func(t []result) int64 { return t[i].basePeak })
	}
	return out
}

// median is the middle one; of an even number, the lower of the two.
func median[T cmp.Ordered](trials [][]result, of func([]result) T) T {
	values := make([]T, len(trials))
	for i, t := range trials {
		values[i] = of(t)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
