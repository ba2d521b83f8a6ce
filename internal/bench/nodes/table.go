package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// aims are the ratios that are wanted: the loader's time to ours. They are printed
// beside what was measured and never fail a run.
var aims = map[string]string{caseCreate: "1.20", caseSame: "3.00", caseUpdate: "1.20"}

func print(w io.Writer, results []result) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "nodes\tcase\trows\tours rows/s\tengine rows/s\tloader rows/s\tratio\taim\tpeak MiB a node\tbatches by node\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t\n", r.nodes, r.name, r.rows, rate(r.rows, r.ours), rate(r.rows, r.engine), rate(r.rows, r.loader),
			r.ratio(), aims[r.name], float64(r.peak)/(1<<20), shares(r.shares))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "nodes\tcase\tcores busy\tPostgreSQL\tnodes\tsaturated\tstatus p50\tp99\tmax ms\tlist p50\tp99\tmax ms\tsmall import s\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%d\t%s\t%.2f of %d\t%.2f\t%.2f\t%s\t%s\t%s\t%s\n", r.nodes, r.name, r.cores(""), runtime.NumCPU(), r.cores("postgres"), r.cores("tallyman"), r.saturated(),
			quantiles(r.status), quantiles(r.list), seconds(r.small))
	}
	return tw.Flush()
}

// ratio is the loader's time to ours.
func (r *result) ratio() string {
	if r.loader == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(r.loader)/float64(r.ours))
}

func rate(rows uint64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(rows)/d.Seconds())
}

func shares(of []int) string {
	slices.Sort(of)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(of), " ", "+"), "[]")
}

func quantiles(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "\t\t"
	}
	var all []string
	for _, share := range []float64{0.5, 0.99, 1} {
		all = append(all, fmt.Sprintf("%.1f", quantile(sorted, share).Seconds()*1000))
	}
	return strings.Join(all, "\t")
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "\t"
	}
	return fmt.Sprintf("%.2f\t", d.Seconds())
}

// cores is how many cores a program kept busy; all programs together for "".
func (r *result) cores(name string) float64 {
	var used time.Duration
	for program, t := range r.cpu {
		if name == "" || program == name {
			used += t
		}
	}
	return used.Seconds() / r.ours.Seconds()
}

// saturated names what was fully used: more of it would have been faster.
func (r *result) saturated() string {
	if r.cores("") > 0.9*float64(runtime.NumCPU()) {
		return "processor"
	}
	return "not the processor"
}

// medians joins the results of several trials, case by case: those of the trial
// whose time is the median, for what belongs together should stay so.
func medians(trials [][]result) []result {
	out := slices.Clone(trials[0])
	for i := range out {
		of := make([]result, len(trials))
		loaders := make([]time.Duration, len(trials))
		for j, t := range trials {
			of[j], loaders[j] = t[i], t[i].loader
		}
		slices.SortFunc(of, func(a, b result) int { return cmp.Compare(a.ours, b.ours) })
		slices.Sort(loaders)
		out[i] = of[(len(of)-1)/2]
		out[i].loader = loaders[(len(loaders)-1)/2]
	}
	return out
}
