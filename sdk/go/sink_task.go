package bulkhead

import (
	"errors"
	"sort"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	// What the host may have on its way to this task beyond the put that runs.
	sinkCreditRecords  = 40_000
	sinkCreditBytesMin = 4 * 1024 * 1024
	putRetryPause      = time.Second
	partitionsShown    = 5
)

// sinkTask is the sink's side of a task.
type sinkTask struct {
	*task
	putter      Putter
	definitions *inDefinitions
	reports     *errantReports

	lock sync.Mutex
	// I5: bounded by the credit for puts; the host sends the rest one at a time.
	queue    []any
	wake     chan struct{}
	isFailed bool
	// Puts of a lower epoch are dropped: what they hold is sent again.
	epoch      uint64
	idleAfter  time.Duration
	partitions map[TopicPartition]bool
}

func newSinkTask(t *task) *sinkTask {
	made := &sinkTask{task: t, putter: t.instance.(Putter), definitions: newInDefinitions(),
		wake: make(chan struct{}, 1), partitions: map[TopicPartition]bool{}}
	made.reports = newErrantReports(func(report *pb.ErrantReport) {
		t.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_ErrantReport{ErrantReport: report}})
	})
	t.instance.base().sink = made
	return made
}

func (s *sinkTask) hello() proto.Message {
	return &pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Hello{Hello: &pb.SinkTaskHello{Ticket: s.host.request.Ticket}}}
}

func (s *sinkTask) empty() proto.Message { return &pb.HostSinkMessage{} }

func (s *sinkTask) work() error {
	if ok, err := s.startUser(); !ok {
		return err
	}
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Started{Started: &pb.Started{}}})
	s.giveCredit(sinkCreditRecords, int64(max(sinkCreditBytesMin, s.host.maxMessageBytes)))
	return nil
}

func (s *sinkTask) after() {
	for {
		work := s.next()
		if work == nil {
			break
		}
		if s.wasCutOff() {
			continue
		}
		switch one := work.(type) {
		case *putBatch:
			s.doPut(one)
		case *pb.Open:
			s.doOpen(one)
		case *pb.Close:
			s.doClose(one)
		case *pb.Flush:
			s.doFlush(one)
		case idlePut:
			s.doIdle()
		}
	}
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_STOPPING)
}

// failed: no more puts; flush, close and stop are still served.
func (s *sinkTask) failed(err error) {
	s.lock.Lock()
	again := s.isFailed || s.stopping()
	s.isFailed = true
	s.lock.Unlock()
	if !again {
		s.meter.overcame()
		s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Failure{Failure: toFailure(err)}})
	}
}

func (s *sinkTask) stopped(failure *pb.Failure) proto.Message {
	return &pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Stopped{Stopped: &pb.Stopped{Failure: failure}}}
}

// onStop: the running call is told by its context, what is queued will be discarded.
func (s *sinkTask) onStop() {
	s.reports.close("the host stops the task")
	s.ring()
}

func (s *sinkTask) onMessage(message proto.Message) {
	switch kind := message.(*pb.HostSinkMessage).Kind.(type) {
	case *pb.HostSinkMessage_Put:
		s.enqueue(newPutBatch(s.definitions, kind.Put))
	case *pb.HostSinkMessage_Open:
		s.enqueue(kind.Open)
	case *pb.HostSinkMessage_Close:
		s.enqueue(kind.Close)
	case *pb.HostSinkMessage_Flush:
		s.enqueue(kind.Flush)
	case *pb.HostSinkMessage_Topic:
		s.definitions.topic(kind.Topic)
	case *pb.HostSinkMessage_Name:
		s.definitions.name(kind.Name)
	case *pb.HostSinkMessage_Form:
		s.definitions.form(kind.Form)
	case *pb.HostSinkMessage_Forget:
		s.definitions = newInDefinitions()
	case *pb.HostSinkMessage_ErrantReceipt:
		s.reports.receipt(kind.ErrantReceipt)
	case *pb.HostSinkMessage_Stop:
		s.askStop(time.Duration(kind.Stop.TimeoutMs) * time.Millisecond)
	}
	// Rewound needs no work: the epoch has dropped what was on its way.
}

func (s *sinkTask) enqueue(work any) {
	s.lock.Lock()
	s.queue = append(s.queue, work)
	s.lock.Unlock()
	s.ring()
}

func (s *sinkTask) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

type idlePut struct{}

// next is the next piece of work, an idle put when time has come, nil when stopping and empty.
func (s *sinkTask) next() any {
	for {
		s.lock.Lock()
		if len(s.queue) > 0 {
			work := s.queue[0]
			s.queue[0] = nil
			s.queue = s.queue[1:]
			s.lock.Unlock()
			return work
		}
		pause := s.idlePause()
		s.lock.Unlock()
		select {
		case <-s.stopAsked:
			// What came just before the stop is still to be answered.
			s.lock.Lock()
			empty := len(s.queue) == 0
			s.lock.Unlock()
			if empty {
				return nil
			}
			continue
		default:
		}
		s.meter.rest()
		var over <-chan time.Time
		giveUp := func() {}
		if pause > 0 {
			over, giveUp = s.host.clock.after(pause)
		}
		select {
		case <-s.wake:
		case <-s.stopAsked:
		case <-over:
			return idlePut{}
		}
		giveUp()
	}
}

// idlePause is how long without data until Put is called with nothing; 0 = never.
func (s *sinkTask) idlePause() time.Duration {
	if len(s.partitions) == 0 || s.isFailed {
		return 0
	}
	most := time.Duration(s.host.request.OffsetFlushIntervalMs) * time.Millisecond
	if s.idleAfter > 0 && (most == 0 || s.idleAfter < most) {
		return s.idleAfter
	}
	return most
}

func (s *sinkTask) doPut(batch *putBatch) {
	result := &pb.PutResult{PutSeq: batch.seq}
	s.lock.Lock()
	stale := !s.started || s.isFailed || s.stopping() || batch.epoch < s.epoch
	s.idleAfter = 0
	s.lock.Unlock()
	if stale {
		result.Kind = &pb.PutResult_Discarded{Discarded: &pb.PutDiscarded{}}
	} else {
		s.putNow(batch, result)
	}
	s.lock.Lock()
	// Under the lock: what a rewind elsewhere says of the epoch goes behind it.
	result.Epoch = s.epoch
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_PutResult{PutResult: result}})
	s.lock.Unlock()
	s.giveCredit(max(1, int64(batch.columns.Count)), batch.cost())
}

func (s *sinkTask) putNow(batch *putBatch, result *pb.PutResult) {
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_PUTTING)
	s.meter.recordsIn.Add(uint64(len(batch.records)))
	err := callUser(s.instance, "Put", func() error { return s.putter.Put(s.ctx, batch.records) })
	switch {
	case err == nil:
		s.meter.progress(time.Now())
		s.meter.recordsOut.Add(uint64(len(batch.records)))
		result.Kind = &pb.PutResult_Ok{Ok: &pb.PutOk{}}
	case s.stopping():
		result.Kind = &pb.PutResult_Discarded{Discarded: &pb.PutDiscarded{}}
	default:
		s.putFailed(batch, err, result)
	}
}

func (s *sinkTask) putFailed(batch *putBatch, err error, result *pb.PutResult) {
	var faults RecordErrors
	if errors.As(err, &faults) {
		if runs := runsOf(len(batch.records), faults); runs != nil {
			result.Kind = &pb.PutResult_Runs{Runs: &pb.PutRuns{Runs: runs}}
			return
		}
	}
	failure := toFailure(err)
	s.lock.Lock()
	defer s.lock.Unlock()
	s.epoch++
	if again, ok := retriable(err); ok {
		pause := again.RetryAfter
		if pause == 0 {
			pause = putRetryPause
		}
		result.Kind = &pb.PutResult_Retry{Retry: &pb.PutRetry{
			RetryAfterMs: uint64(pause.Milliseconds()), Failure: failure}}
		s.meter.backingOff(failure)
		return
	}
	result.Kind = &pb.PutResult_Failure{Failure: failure}
	s.isFailed = true
	s.meter.overcame()
}

// doIdle lets a sink act by time though no data comes.
func (s *sinkTask) doIdle() {
	s.lock.Lock()
	over := !s.started || s.isFailed || s.stopping()
	s.idleAfter = 0
	s.lock.Unlock()
	if over {
		return
	}
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_PUTTING)
	err := callUser(s.instance, "Put", func() error { return s.putter.Put(s.ctx, nil) })
	if err == nil {
		s.meter.overcame()
	} else if _, ok := retriable(err); ok {
		s.host.log.Warn("a put without records failed, tried again later: "+textOf(err), "error", err)
		s.meter.backingOff(toFailure(err))
	} else {
		s.failed(err)
	}
}

func (s *sinkTask) doOpen(said *pb.Open) {
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_OPENING)
	offsets := offsetsOf(said.Partitions)
	s.lock.Lock()
	for _, one := range offsets {
		s.partitions[one.TopicPartition] = true
	}
	s.lock.Unlock()
	answer := &pb.Opened{}
	if opener, ok := s.instance.(Opener); ok && s.started {
		answer.Failure = failureOf(callUser(s.instance, "Open", func() error {
			return opener.Open(s.ctx, offsets)
		}))
	}
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Opened{Opened: answer}})
}

func (s *sinkTask) doClose(said *pb.Close) {
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_CLOSING)
	gone := make([]TopicPartition, len(said.Partitions))
	s.lock.Lock()
	for at, one := range said.Partitions {
		gone[at] = TopicPartition{one.Topic, int32(one.Partition)}
		delete(s.partitions, gone[at])
	}
	s.lock.Unlock()
	answer := &pb.Closed{}
	if closer, ok := s.instance.(Closer); ok && s.started {
		answer.Failure = failureOf(callUser(s.instance, "Close", func() error {
			// The last flush and close are served in full, though the task is to stop.
			return closer.Close(s.finalContext(), gone)
		}))
	}
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Closed{Closed: answer}})
}

func failureOf(err error) *pb.Failure {
	if err == nil {
		return nil
	}
	return toFailure(err)
}

func (s *sinkTask) giveCredit(records, bytes int64) {
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Credit{Credit: &pb.Credit{Records: records, Bytes: bytes}}})
}

// runsOf is nil where a fault names no record of this batch.
func runsOf(count int, faults RecordErrors) []*pb.Run {
	sorted := append(RecordErrors(nil), faults...)
	sort.Slice(sorted, func(a, b int) bool { return sorted[a].Index < sorted[b].Index })
	var runs []*pb.Run
	next := 0
	stored := func(through int) {
		if through > next {
			runs = append(runs, &pb.Run{Count: uint32(through - next),
				Outcome: &pb.Outcome{Kind: &pb.Outcome_Stored{Stored: &pb.Stored{}}}})
		}
	}
	for _, one := range sorted {
		if one.Index < 0 || one.Index >= count {
			return nil
		}
		if one.Index < next {
			continue
		}
		stored(one.Index)
		fault := one.Err
		if fault == nil {
			fault = errors.New("no error was given")
		}
		runs = append(runs, &pb.Run{Count: 1, Outcome: &pb.Outcome{Kind: &pb.Outcome_Failed{Failed: &pb.Failed{
			Stage: pb.Stage_STAGE_TASK_PUT, Failure: asData(fault)}}}})
		next = one.Index + 1
	}
	stored(count)
	return runs
}

func offsetsOf(said []*pb.PartitionOffset) []TopicOffset {
	made := make([]TopicOffset, len(said))
	for at, one := range said {
		made[at] = TopicOffset{TopicPartition{one.Topic, int32(one.Partition)}, -1}
		if one.Offset != nil {
			made[at].Offset = *one.Offset
		}
	}
	return made
}

func wireOffset(one TopicOffset) *pb.PartitionOffset {
	said := &pb.PartitionOffset{Topic: one.Topic, Partition: uint32(one.Partition)}
	if one.Offset >= 0 {
		said.Offset = &one.Offset
	}
	return said
}

// What the user's code asks for.
