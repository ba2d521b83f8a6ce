package jobs

import (
	"encoding/json"

	"github.com/riverqueue/river/rivertype"
)

// Keys of what is logged about the work on imports: here, in package importer, and
// by everybody else who logs of it. One word, one meaning.
const (
	// LogImport is an import's id.
	LogImport = "import"
	// LogWorkspace and LogImportNo are the numbers of an import's workspace and of
	// the import in it: where only those are known, in the place of LogImport.
	LogWorkspace = "workspace_no"
	LogImportNo  = "import_no"
	LogPass      = "pass"
	LogBatch     = "batch"
	// LogNode is the node that logs.
	LogNode = "node"
	// LogJob is a job's number.
	LogJob = "job"
)

// logAttrs name a job and the batch that it is for. What it is for is not known of
// a job that cannot be read.
func logAttrs(row *rivertype.JobRow) []any {
	attrs := []any{LogJob, row.ID}
	var a args
	if json.Unmarshal(row.EncodedArgs, &a) == nil && a.job.Batch.ImportNo != 0 {
		b := a.job.Batch
		attrs = append(attrs, LogWorkspace, a.job.WS, LogImportNo, b.ImportNo, LogPass, b.Pass, LogBatch, b.No)
	}
	return attrs
}
