package sqlitejobs

import (
	"context"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
)

// insertTopic is where River's workers listen for new jobs.
const insertTopic = "river_insert"

// bell tells the workers of this process to look for jobs. It is rung inside the
// inserting transaction; because the database has one connection, the look it
// causes comes only after that transaction ended, and sees what it did.
//
// A ring that gets lost delays a job by the poll interval, no more.
type bell struct{ rings chan string }

var _ riverdriver.Listener = (*bell)(nil)

func newBell() *bell { return &bell{rings: make(chan string, 64)} }

// ring announces a job on a queue. It never blocks: a bell that has rung so often
// without being heard will be heard anyway.
func (b *bell) ring(queue string) {
	select {
	case b.rings <- queue:
	default:
	}
}

func (b *bell) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case queue := <-b.rings:
		return &riverdriver.Notification{Topic: insertTopic, Payload: fmt.Sprintf(`{"queue":%q}`, queue)}, nil
	}
}

// The rest is for listeners that have a connection and many topics.

func (b *bell) Connect(context.Context) error          { return nil }
func (b *bell) Close(context.Context) error            { return nil }
func (b *bell) Ping(context.Context) error             { return nil }
func (b *bell) Listen(context.Context, string) error   { return nil }
func (b *bell) Unlisten(context.Context, string) error { return nil }
func (b *bell) Schema() string                         { return "" }
func (b *bell) SetAfterConnectExec(string)             {}
