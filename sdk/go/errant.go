package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	reportsOpenMax  = 1_000
	reportsBytesMax = 8 * 1024 * 1024
)

// errantReports are records that a sink gave up, on their way to the host; bounded in number and bytes.
type errantReports struct {
	send func(*pb.ErrantReport)

	lock   sync.Mutex
	open   map[uint64]*errantReport
	bytes  int
	lastID uint64
	over   error
	// Closed and made anew whenever there is more room.
	room chan struct{}
}

type errantReport struct {
	size int
	done chan error
}

func newErrantReports(send func(*pb.ErrantReport)) *errantReports {
	return &errantReports{send: send, open: map[uint64]*errantReport{}, room: make(chan struct{})}
}

// report returns when the host has settled it; with an error when its policy is to fail.
func (e *errantReports) report(ctx context.Context, record *SinkRecord, fault error) error {
	said := &pb.ErrantReport{Record: &pb.ErrantReport_Original{Original: record.original()},
		Stage: pb.Stage_STAGE_TASK_PUT, Failure: asData(fault)}
	made := &errantReport{size: proto.Size(said) + 16, done: make(chan error, 1)}
	e.lock.Lock()
	// One always passes, however large.
	for e.over == nil && len(e.open) > 0 && (len(e.open) >= reportsOpenMax || e.bytes+made.size > reportsBytesMax) {
		room := e.room
		e.lock.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		e.lock.Lock()
	}
	if e.over != nil {
		defer e.lock.Unlock()
		return fmt.Errorf("cannot report a record: %w", e.over)
	}
	e.lastID++
	said.ReportId = e.lastID
	e.open[said.ReportId] = made
	e.bytes += made.size
	e.send(said)
	e.lock.Unlock()
	select {
	case err := <-made.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *errantReports) receipt(said *pb.ErrantReceipt) {
	e.lock.Lock()
	defer e.lock.Unlock()
	made := e.open[said.ReportId]
	if made == nil {
		return
	}
	delete(e.open, said.ReportId)
	e.bytes -= made.size
	if said.Failure != nil {
		made.done <- errors.New(said.Failure.Text)
	} else {
		made.done <- nil
	}
	e.wakeAll()
}

func (e *errantReports) close(reason string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.over = errors.New(reason)
	for id, made := range e.open {
		delete(e.open, id)
		made.done <- fmt.Errorf("a report was not settled: %s", reason)
	}
	e.wakeAll()
}

func (e *errantReports) wakeAll() {
	close(e.room)
	e.room = make(chan struct{})
}
