package bulkhead

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	retryPauseFirst = 100 * time.Millisecond
	retryPauseMax   = 30 * time.Second
	// A Poll that gave nothing is asked again after so long.
	nothingPause = 100 * time.Millisecond
	partitionMax = 100_000
)

// sourceTask is the source's side of a task.
type sourceTask struct {
	*task
	sender    *sourceSender
	callbacks *callbacks
	wantAcked Acker
	wantDone  Committer

	lock     sync.Mutex
	isFailed bool
	sent     map[string]*string
	unacked  []sentBatch
}

type sentBatch struct {
	seq     uint64
	records []Record
}

func newSourceTask(t *task) *sourceTask {
	made := &sourceTask{task: t, sent: map[string]*string{}}
	made.wantAcked, _ = t.instance.(Acker)
	made.wantDone, _ = t.instance.(Committer)
	if made.wantAcked != nil || made.wantDone != nil {
		made.callbacks = newCallbacks(t)
	}
	t.instance.base().ask = made.offsets
	made.sender = newSourceSender(t.host.stream.write, t.meter, made.onOffsets,
		t.host.maxMessageBytes, t.class.options.lastOffsets)
	if made.wantAcked != nil {
		made.sender.onSent = made.onSent
	}
	return made
}

func (s *sourceTask) hello() proto.Message {
	mode := pb.OffsetMode_OFFSET_MODE_PER_RECORD
	if s.class.options.lastOffsets {
		mode = pb.OffsetMode_OFFSET_MODE_LAST
	}
	return &pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Hello{
		Hello: &pb.SourceTaskHello{Ticket: s.host.request.Ticket, OffsetMode: mode}}}
}

func (s *sourceTask) empty() proto.Message { return &pb.HostSourceMessage{} }

func (s *sourceTask) work() error {
	if ok, err := s.startUser(); !ok {
		return err
	}
	s.host.stream.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Started{Started: &pb.Started{}}})
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_IDLE)
	pause := retryPauseFirst
	for !s.stopping() {
		before := s.sender.sentRecords()
		err := s.readThrough()
		again, isRetriable := retriable(err)
		if s.stopping() || err == nil {
			return nil
		}
		if !isRetriable {
			return err
		}
		s.sender.flush()
		if s.sender.sentRecords() > before {
			pause = retryPauseFirst
		}
		wait := again.RetryAfter
		if wait == 0 {
			wait = time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
		}
		s.host.log.Warn("reading failed, again in "+wait.Round(time.Millisecond).String()+": "+textOf(err), "error", err)
		s.meter.backingOff(toFailure(err))
		_ = s.host.clock.sleep(s.ctx, wait)
		pause = min(retryPauseMax, pause*2)
	}
	return nil
}

// readThrough is one life of the user's iterator; nil = there is nothing more, or the task stops.
func (s *sourceTask) readThrough() error {
	if reader, ok := s.instance.(Reader); ok {
		return callUser(s.instance, "Read", func() error { return s.iterate(reader.Read(s.ctx)) })
	}
	poller := s.instance.(Poller)
	for s.turn() {
		s.meter.now(pb.TaskActivity_TASK_ACTIVITY_POLLING)
		var records []Record
		err := callUser(s.instance, "Poll", func() (err error) {
			records, err = poller.Poll(s.ctx)
			return err
		})
		if s.stopping() {
			return nil
		}
		if takeErr := s.sender.take(records); takeErr != nil {
			return takeErr
		}
		if err != nil {
			return err
		}
		s.meter.overcame()
		if len(records) == 0 {
			s.meter.now(pb.TaskActivity_TASK_ACTIVITY_IDLE)
			_ = s.host.clock.sleep(s.ctx, nothingPause)
		}
	}
	return nil
}

// iterate runs within the user's function, between two yields of it.
func (s *sourceTask) iterate(items iter.Seq2[[]Record, error]) error {
	if items == nil {
		return errors.New("Read returned no iterator")
	}
	if !s.turn() {
		return nil
	}
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_POLLING)
	for records, err := range items {
		if s.stopping() {
			return nil
		}
		if takeErr := s.sender.take(records); takeErr != nil {
			return takeErr
		}
		if err != nil {
			return err
		}
		s.meter.overcame()
		if !s.turn() {
			return nil
		}
		s.meter.now(pb.TaskActivity_TASK_ACTIVITY_POLLING)
	}
	s.sender.flush()
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_IDLE)
	return nil
}

// turn waits until the next poll may begin; false = none will.
func (s *sourceTask) turn() bool {
	if s.callbacks != nil && s.callbacks.full() {
		s.sender.flush()
		s.callbacks.waitForRoom()
	}
	return s.sender.turn() && !s.stopping()
}

func (s *sourceTask) failed(err error) {
	s.lock.Lock()
	again := s.isFailed || s.stopping()
	s.isFailed = true
	s.lock.Unlock()
	if again {
		return
	}
	s.sender.sendWhatHasCredit()
	s.endReading()
	s.host.stream.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Failure{Failure: toFailure(err)}})
	s.meter.overcame()
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_IDLE)
}

func (s *sourceTask) after() {
	<-s.stopAsked
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_STOPPING)
	// The last Acked and Committed reach the user before its Stop, which is the last user call.
	if s.callbacks != nil {
		s.callbacks.settle()
	}
}

func (s *sourceTask) stopped(failure *pb.Failure) proto.Message {
	return &pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Stopped{Stopped: &pb.Stopped{Failure: failure}}}
}

func (s *sourceTask) onStop() { s.endReading() }

// endReading: no poll, no record from here on.
func (s *sourceTask) endReading() {
	s.sender.close()
	s.cancel(errStopping)
	if s.callbacks != nil {
		s.callbacks.release()
	}
}

func (s *sourceTask) onMessage(message proto.Message) {
	switch kind := message.(*pb.HostSourceMessage).Kind.(type) {
	case *pb.HostSourceMessage_Credit:
		s.sender.addCredit(kind.Credit.Records, kind.Credit.Bytes)
	case *pb.HostSourceMessage_Acked:
		s.onAcked(kind.Acked.Through)
	case *pb.HostSourceMessage_Committed:
		s.onCommitted(kind.Committed)
	case *pb.HostSourceMessage_Pause:
		s.sender.pause(true)
	case *pb.HostSourceMessage_Resume:
		s.sender.pause(false)
	case *pb.HostSourceMessage_Drain:
		// Final: what has no credit is dropped and read again by the next one.
		s.sender.sendWhatHasCredit()
		s.endReading()
		s.host.stream.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Drained{Drained: &pb.Drained{}}})
	case *pb.HostSourceMessage_Stop:
		s.askStop(time.Duration(kind.Stop.TimeoutMs) * time.Millisecond)
	}
}

// offsets: what this task has sent already, else what the host has stored, so that a retried read
// repeats nothing.
func (s *sourceTask) offsets(ctx context.Context, partitions []Object) ([]Object, error) {
	found := make([]Object, len(partitions))
	var unknown []Object
	var places []int
	for at, one := range partitions {
		text, err := jsonText(one)
		if err != nil {
			return nil, err
		}
		s.lock.Lock()
		sent, known := s.sent[text]
		s.lock.Unlock()
		if !known {
			unknown, places = append(unknown, one), append(places, at)
		} else if found[at], err = parseObject(sent); err != nil {
			return nil, err
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	stored, err := s.host.offsets(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for at, place := range places {
		found[place] = stored[at]
	}
	return found, nil
}

func (s *sourceTask) onOffsets(partition string, offset *string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if _, known := s.sent[partition]; !known && len(s.sent) >= partitionMax {
		for one := range s.sent {
			// I5: any of them is read from the host again; at worst some records are repeated.
			delete(s.sent, one)
			break
		}
	}
	s.sent[partition] = offset
}

func (s *sourceTask) onSent(seq uint64, records []Record) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.unacked = append(s.unacked, sentBatch{seq, records})
}

func (s *sourceTask) onAcked(through uint64) {
	var records []Record
	s.lock.Lock()
	for len(s.unacked) > 0 && s.unacked[0].seq <= through {
		records = append(records, s.unacked[0].records...)
		s.unacked = s.unacked[1:]
	}
	s.lock.Unlock()
	if len(records) > 0 && s.callbacks != nil {
		s.callbacks.add("Acked", func(ctx context.Context) error { return s.wantAcked.Acked(ctx, records) })
	}
}

func (s *sourceTask) onCommitted(said *pb.Committed) {
	if s.wantDone == nil {
		return
	}
	offsets := make([]SourceOffset, 0, len(said.Offsets))
	for _, one := range said.Offsets {
		partition, _ := parseObject(&one.Partition)
		offset, _ := parseObject(one.Offset)
		offsets = append(offsets, SourceOffset{partition, offset})
	}
	s.callbacks.add("Committed", func(ctx context.Context) error { return s.wantDone.Committed(ctx, offsets) })
}
