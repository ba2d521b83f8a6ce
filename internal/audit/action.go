package audit

// What can be done: a noun and a verb. Scripts rely on these words.
const (
	ImportStart     = "import.start"     // a file became an import
	ImportRefuse    = "import.refuse"    // a file was sent that cannot be imported
	ImportPause     = "import.pause"     //
	ImportResume    = "import.resume"    //
	ImportTerminate = "import.terminate" // stopped for good, or its plan given up
	ImportApply     = "import.apply"     // its plan is being written
	ImportReplan    = "import.replan"    // its plan is being made again
	ImportRetry     = "import.retry"     // rows of it run again
	ImportUndo      = "import.undo"      // another import takes it back
	ImportCorrect   = "import.correct"   // cells were laid over rows
	ImportUncorrect = "import.uncorrect" // and taken away again
	ImportFix       = "import.fix"       // all rows with one cause were corrected
	ImportUnfix     = "import.unfix"     //

	ItemEdit   = "item.edit"   // changed by hand
	ItemDelete = "item.delete" // removed by hand

	// What the program does by itself.
	ImportRollBack = "import.roll_back" // all or nothing, and it was not all
	ImportRevive   = "import.revive"    // a batch whose worker died was given to another
	ImportAgeOut   = "import.age_out"   // what was past its retention went
	ImportGiveUp   = "import.give_up"   // nobody applied its plan in time

	KeyCreate = "key.create"
	KeyRevoke = "key.revoke"
	KeyRefuse = "key.refuse" // somebody came with a key that opens nothing

	UserCreate   = "user.create"
	UserRole     = "user.role"     // may do more, or less
	UserPassword = "user.password" // has another password
	UserDisable  = "user.disable"
	UserEnable   = "user.enable"
	UserRefuse   = "user.refuse" // a sign-in failed

	WorkspaceCreate = "workspace.create"
	WorkspaceSet    = "workspace.set"
	DatabaseMove    = "database.move" // to another database and file store
)
