package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	// What the host may have on its way to a stage beyond the batch that runs.
	stageCreditRecords  = 20_000
	stageCreditBytesMin = 4 * 1024 * 1024
)

// stageHost is what a stage needs of the session.
type stageHost struct {
	connector       string
	request         *pb.OpenStageRequest
	maxMessageBytes int
	stream          wire
	// Done when the session has ended.
	ctx context.Context
	log *slog.Logger
}

// runningStage is one open transform, predicate or converter: a goroutine for the user's function,
// beside the one that reads its stream.
type runningStage struct {
	host     *stageHost
	class    *Class
	instance stageInstance
	results  *stageResults
	// Done when the stage is closing: user code sees it.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// Closed when the stream is open, or will not be: see refused.
	opened  chan struct{}
	refused error
	// Closed when no user code runs; failure is what the user's Stop failed with.
	done    chan struct{}
	failure *pb.Failure

	definitions *inDefinitions
	wake        chan struct{}
	lock        sync.Mutex
	// I5: bounded by the credit for batches.
	queue       []stageBatch
	hasStarted  bool
	hasFailed   bool
	isCutOff    bool
	isAbandoned bool
	reason      string
}

type stageBatch struct {
	operation pb.StageOperation
	rows      *putBatch
}

var errClosing = errors.New("the stage is closing")

func newRunningStage(host *stageHost, class *Class) *runningStage {
	made := &runningStage{
		host: host, class: class, instance: class.newTask().(stageInstance),
		results: newStageResults(host.stream.write, host.maxMessageBytes),
		opened:  make(chan struct{}), done: make(chan struct{}),
		definitions: newInDefinitions(), wake: make(chan struct{}, 1),
	}
	made.ctx, made.cancel = context.WithCancelCause(host.ctx)
	base := made.instance.base()
	base.Connector, base.Task, base.Log = host.connector, int(host.request.Task), host.log
	base.clock, base.Texts = realClock{}, map[string]string{}
	maps.Copy(base.Texts, host.request.Config)
	made.instance.place(host.request.Alias, host.request.IsKey)
	return made
}

func (s *runningStage) run() { go s.main() }

func (s *runningStage) main() {
	finished, isOpened := false, false
	defer func() {
		if !finished {
			// runtime.Goexit in user code: nothing else leaves like this.
			s.failed(errGoexit)
			s.host.stream.finish()
		}
		if !isOpened {
			close(s.opened)
		}
		s.cancel(errClosing)
		close(s.done)
	}()
	hello := &pb.StageMessage{Kind: &pb.StageMessage_Hello{Hello: &pb.StageHello{Ticket: s.host.request.Ticket}}}
	stream := s.host.stream
	err := stream.open(hello, func() proto.Message { return &pb.HostStageMessage{} }, s.read, s.cutOff)
	if err == nil && !stream.waitOpened() {
		s.lock.Lock()
		err = fmt.Errorf("the host refused the stage's stream: %s", s.reason)
		s.lock.Unlock()
	}
	if err != nil {
		s.refused, finished = err, true
		return
	}
	isOpened = true
	close(s.opened)
	if err := s.work(); err != nil {
		s.failed(err)
	}
	// A stage that has failed stays open until it is closed.
	<-s.ctx.Done()
	s.stop()
	finished = true
}

// work serves batches until the stage is closing. What it returns fails the stage.
func (s *runningStage) work() error {
	if err := fillConfig(s.instance.config(), s.class.keys, s.host.request.Config); err != nil {
		return err
	}
	if s.ctx.Err() != nil {
		return nil
	}
	if starter, ok := s.instance.(Starter); ok {
		if err := callUser(s.instance, "Start", func() error { return starter.Start(s.ctx) }); err != nil {
			return err
		}
	}
	// Only what was started is stopped.
	s.hasStarted = true
	s.host.stream.write(&pb.StageMessage{Kind: &pb.StageMessage_Started{Started: &pb.Started{}}})
	s.giveCredit(stageCreditRecords, int64(max(stageCreditBytesMin, s.host.maxMessageBytes)))
	for {
		batch, ok := s.next()
		if !ok {
			return nil
		}
		if err := s.do(batch); err != nil {
			return err
		}
	}
}

func (s *runningStage) do(batch stageBatch) error {
	step, err := newStageStep(s.class, s.instance, batch.operation)
	if err != nil {
		return err
	}
	s.results.seq = batch.rows.seq
	for at := range batch.rows.records {
		if s.wasCutOff() {
			return nil
		}
		if err := step(s.ctx, &batch.rows.records[at], s.results); err != nil {
			s.results.failed(recordFailure(err))
		}
	}
	s.results.send(false)
	s.giveCredit(int64(max(1, len(batch.rows.records))), batch.rows.cost())
	return nil
}

// recordFailure is of one record: its own fault unless trying again may help.
func recordFailure(err error) *pb.Failure {
	said := toFailure(err)
	if said.FailureClass != pb.FailureClass_FAILURE_CLASS_TRANSIENT {
		said.FailureClass = pb.FailureClass_FAILURE_CLASS_DATA
	}
	return said
}

// next waits for a batch; false = the stage is closing or has failed.
func (s *runningStage) next() (stageBatch, bool) {
	for {
		s.lock.Lock()
		if s.ctx.Err() != nil || s.hasFailed {
			s.lock.Unlock()
			return stageBatch{}, false
		}
		if len(s.queue) > 0 {
			batch := s.queue[0]
			s.queue[0] = stageBatch{}
			s.queue = s.queue[1:]
			s.lock.Unlock()
			return batch, true
		}
		s.lock.Unlock()
		select {
		case <-s.wake:
		case <-s.ctx.Done():
		}
	}
}

// read is called for each message: a message that breaks the contract ends this stage only.
func (s *runningStage) read(message proto.Message) {
	defer func() {
		if value := recover(); value != nil {
			s.failed(fmt.Errorf("a message of the host broke the contract: %s", printed(value)))
		}
	}()
	switch kind := message.(*pb.HostStageMessage).Kind.(type) {
	case *pb.HostStageMessage_Batch:
		put := &pb.Put{PutSeq: kind.Batch.Seq, Columns: kind.Batch.Columns}
		batch := stageBatch{kind.Batch.Operation, newStageRows(s.definitions, put)}
		s.lock.Lock()
		s.queue = append(s.queue, batch)
		s.lock.Unlock()
		s.ring()
	case *pb.HostStageMessage_Topic:
		s.definitions.topic(kind.Topic)
	case *pb.HostStageMessage_Name:
		s.definitions.name(kind.Name)
	case *pb.HostStageMessage_Form:
		s.definitions.form(kind.Form)
	case *pb.HostStageMessage_Forget:
		s.definitions = newInDefinitions()
	}
}

func (s *runningStage) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// failed: the stage as a whole. No more results; the host closes it.
func (s *runningStage) failed(err error) {
	s.lock.Lock()
	again := s.hasFailed || s.isCutOff
	s.hasFailed, s.queue = true, nil
	s.lock.Unlock()
	if !again {
		s.host.stream.write(&pb.StageMessage{Kind: &pb.StageMessage_Failure{Failure: toFailure(err)}})
	}
	s.ring()
}

// close: what runs is told by its context and finished, what waits is dropped.
func (s *runningStage) close() *pb.Failure {
	s.cancel(errClosing)
	<-s.done
	return s.failure
}

// cutOff: the stream is gone before the stage was closed. The user's Stop still follows.
func (s *runningStage) cutOff(reason string) {
	s.lock.Lock()
	s.isCutOff, s.reason = true, reason
	s.lock.Unlock()
	s.cancel(errors.New(reason))
	s.host.stream.cancel()
}

// abandon: the session has ended, no further user call.
func (s *runningStage) abandon(reason string) {
	s.lock.Lock()
	s.isAbandoned = true
	s.lock.Unlock()
	s.cutOff(reason)
}

func (s *runningStage) wasCutOff() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.isCutOff
}

func (s *runningStage) stop() {
	if s.wasCutOff() {
		// A host that is gone takes the session too, though this stream's end may be seen first.
		select {
		case <-s.host.ctx.Done():
		case <-time.After(sessionEndTimeMax):
		}
	}
	s.lock.Lock()
	mayStop := s.hasStarted && !s.isAbandoned && s.host.ctx.Err() == nil
	s.lock.Unlock()
	if stopper, ok := s.instance.(Stopper); ok && mayStop {
		err := callUser(s.instance, "Stop", func() error { return stopper.Stop(s.host.ctx) })
		if err != nil {
			s.failure = toFailure(err)
			if s.wasCutOff() {
				s.host.log.Error("stopping failed: "+textOf(err), "error", err)
			}
		}
	}
	s.host.stream.finish()
}

func (s *runningStage) giveCredit(records, bytes int64) {
	s.host.stream.write(&pb.StageMessage{Kind: &pb.StageMessage_Credit{
		Credit: &pb.Credit{Records: records, Bytes: bytes}}})
}
