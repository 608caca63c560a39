package bulkhead

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// GivenUp is a record that a sink gave up, with what it said.
type GivenUp struct {
	TopicOffset
	Text string
}

// SinkHarness puts records into a sink, as a host does: after a retry again, without what was discarded.
// For tests of a connector's own: no host, no Kafka. One goroutine uses it.
type SinkHarness struct {
	harness
	// Committed are the next offsets to read.
	Committed map[TopicPartition]int64
	// Reported are records that the sink gave up.
	Reported []GivenUp

	records   map[TopicPartition][]Record
	assigned  []TopicPartition
	positions map[TopicPartition]int64
	paused    map[TopicPartition]bool
	rewinds   map[TopicPartition]int64
	answer    proto.Message
	packer    *packer
	epoch     uint64
	putSeq    uint64
	flushSeq  uint64
}

// HarnessSink runs a sink class in memory with that config; Stop or Crash ends it. Errors are
// HarnessErrors: what user code failed with, or what did not happen within 10 s.
func HarnessSink(class Class, config map[string]string) (*SinkHarness, error) {
	made := &SinkHarness{Committed: map[TopicPartition]int64{}, records: map[TopicPartition][]Record{},
		positions: map[TopicPartition]int64{}, paused: map[TopicPartition]bool{}}
	if err := made.set(class, config); err != nil {
		return nil, err
	}
	if class.kind != pb.PluginKind_PLUGIN_KIND_SINK {
		return nil, ConfigError("%s is a %s, not a sink", class.name, class.kindName())
	}
	return made, made.begin()
}

// Put puts records and waits until they are taken, over retries. A record without a topic is of
// "topic", one without a partition of 0; offsets are counted up from 0 in each.
func (h *SinkHarness) Put(records ...Record) error {
	for _, one := range records {
		place := TopicPartition{Topic: orElse(one.Topic, "topic")}
		if one.Partition != nil {
			place.Partition = *one.Partition
		}
		one.Topic, one.Partition = place.Topic, &place.Partition
		h.records[place] = append(h.records[place], one)
		if !slices.Contains(h.assigned, place) {
			if err := h.Assign(place); err != nil {
				return err
			}
		}
	}
	return h.deliver()
}

// PutValues puts a record for each of them.
func (h *SinkHarness) PutValues(values ...any) error {
	records := make([]Record, len(values))
	for at, value := range values {
		records[at].Value = value
	}
	return h.Put(records...)
}

// Assign: these partitions are the task's from now on; Put does it by itself.
func (h *SinkHarness) Assign(partitions ...TopicPartition) error {
	open := &pb.Open{}
	for _, one := range partitions {
		h.assigned = append(h.assigned, one)
		said := &pb.PartitionOffset{Topic: one.Topic, Partition: uint32(one.Partition)}
		if offset, ok := h.Committed[one]; ok {
			said.Offset = &offset
		}
		h.positions[one] = h.Committed[one]
		open.Partitions = append(open.Partitions, said)
	}
	_, err := ask[*pb.Opened](h, "open", &pb.HostSinkMessage{Kind: &pb.HostSinkMessage_Open{Open: open}})
	return err
}

// Commit flushes; what the sink calls safe is committed.
func (h *SinkHarness) Commit() error {
	h.flushSeq++
	flush := &pb.Flush{FlushSeq: h.flushSeq}
	for _, one := range h.assigned {
		flush.Offsets = append(flush.Offsets, wireOffset(TopicOffset{one, h.positions[one]}))
	}
	result, err := ask[*pb.FlushResult](h, "flush", &pb.HostSinkMessage{Kind: &pb.HostSinkMessage_Flush{Flush: flush}})
	if err != nil {
		return err
	}
	for _, one := range offsetsOf(result.Safe) {
		h.Committed[one.TopicPartition] = one.Offset
	}
	return nil
}

// Rebalance: the partitions (all unless named) are taken away, after a commit, and given back.
func (h *SinkHarness) Rebalance(partitions ...TopicPartition) error {
	if err := h.Commit(); err != nil {
		return err
	}
	return h.move(partitions, pb.CloseReason_CLOSE_REASON_REVOKED)
}

// Lose is as Rebalance, found out too late: without a commit, what was not committed comes again.
func (h *SinkHarness) Lose(partitions ...TopicPartition) error {
	return h.move(partitions, pb.CloseReason_CLOSE_REASON_LOST)
}

// Idle lets time pass without records: Put is called with none if it is time, and has returned.
func (h *SinkHarness) Idle(pause time.Duration) error {
	if err := h.rest(); err != nil || h.Clock.advance(pause) == 0 {
		return err
	}
	return h.rest()
}

// rest waits until the task waits for time to pass.
func (h *SinkHarness) rest() error {
	deadline := time.Now().Add(harnessWait)
	for h.Clock.Waiting() == 0 {
		if time.Now().After(deadline) {
			return &HarnessError{Text: fmt.Sprintf("the task did not come to rest within %v", harnessWait)}
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// Resume is a new task, with the same partitions from where the commits say.
func (h *SinkHarness) Resume() error {
	if !h.isOver() {
		if err := h.Stop(); err != nil {
			return err
		}
	}
	return h.begin()
}

// Stop is as a host stops: commit, close, stop. What the sink fails with is the error.
func (h *SinkHarness) Stop() error {
	kept := slices.Clone(h.assigned)
	if len(kept) > 0 {
		if err := h.Commit(); err != nil {
			return err
		}
		if err := h.close(kept, pb.CloseReason_CLOSE_REASON_REVOKED); err != nil {
			return err
		}
		h.assigned = kept
	}
	return h.end(&pb.HostSinkMessage{Kind: &pb.HostSinkMessage_Stop{
		Stop: &pb.Stop{TimeoutMs: uint64(harnessStop.Milliseconds())}}})
}

func (h *SinkHarness) begin() error {
	places := h.assigned
	h.assigned, h.epoch, h.answer, h.rewinds = nil, 0, nil, map[TopicPartition]int64{}
	clear(h.paused)
	h.packer = newPacker(newOutDefinitions(h.define), harnessMessageBytes, false)
	h.packer.noOffsets = true
	none := func(partitions []Object) ([]Object, error) { return make([]Object, len(partitions)), nil }
	if err := h.launch(none, h.hear); err != nil || len(places) == 0 {
		return err
	}
	if err := h.Assign(places...); err != nil {
		return err
	}
	return h.deliver()
}

func (h *SinkHarness) move(partitions []TopicPartition, reason pb.CloseReason) error {
	if len(partitions) == 0 {
		partitions = slices.Clone(h.assigned)
	}
	if err := h.close(partitions, reason); err != nil {
		return err
	}
	if err := h.Assign(partitions...); err != nil {
		return err
	}
	return h.deliver()
}

func (h *SinkHarness) close(gone []TopicPartition, reason pb.CloseReason) error {
	h.lock.Lock()
	for _, one := range gone {
		h.assigned = slices.DeleteFunc(h.assigned, func(other TopicPartition) bool { return other == one })
		delete(h.positions, one)
		delete(h.paused, one)
	}
	h.lock.Unlock()
	_, err := ask[*pb.Closed](h, "close", &pb.HostSinkMessage{Kind: &pb.HostSinkMessage_Close{
		Close: &pb.Close{Partitions: wirePartitions(gone), Reason: reason}}})
	return err
}

// answerOf is what a question is answered with.
type answerOf interface {
	*pb.Opened | *pb.Closed | *pb.PutResult | *pb.FlushResult
	proto.Message
}

func ask[T answerOf](h *SinkHarness, what string, question proto.Message) (T, error) {
	h.lock.Lock()
	h.answer = nil
	h.lock.Unlock()
	h.stream.tell(question)
	var found T
	err := h.await(what, func() bool {
		said, ok := h.answer.(T)
		found = said
		return ok
	})
	if err != nil {
		return nil, err
	}
	// A put's failure is one of its outcomes.
	if said, ok := any(found).(interface{ GetFailure() *pb.Failure }); ok && what != "put" && said.GetFailure() != nil {
		return nil, harnessError(said.GetFailure())
	}
	return found, nil
}

// hear runs under the harness' lock.
func (h *SinkHarness) hear(message proto.Message) {
	switch kind := message.(*pb.SinkTaskMessage).Kind.(type) {
	case *pb.SinkTaskMessage_Started:
		h.hasStarted = true
	case *pb.SinkTaskMessage_Failure:
		h.failure = kind.Failure
	case *pb.SinkTaskMessage_Stopped:
		if kind.Stopped.Failure != nil {
			h.failure = kind.Stopped.Failure
		}
	case *pb.SinkTaskMessage_Opened:
		h.answer = kind.Opened
	case *pb.SinkTaskMessage_Closed:
		h.answer = kind.Closed
	case *pb.SinkTaskMessage_PutResult:
		h.answer, h.epoch = kind.PutResult, max(h.epoch, kind.PutResult.Epoch)
	case *pb.SinkTaskMessage_FlushResult:
		h.answer, h.epoch = kind.FlushResult, max(h.epoch, kind.FlushResult.Epoch)
	case *pb.SinkTaskMessage_Rewind:
		h.epoch = max(h.epoch, kind.Rewind.Epoch)
		for _, one := range offsetsOf(kind.Rewind.Offsets) {
			h.rewinds[one.TopicPartition] = one.Offset
		}
	case *pb.SinkTaskMessage_Pause:
		h.epoch = max(h.epoch, kind.Pause.Epoch)
		for _, one := range kind.Pause.Partitions {
			h.paused[TopicPartition{one.Topic, int32(one.Partition)}] = true
		}
	case *pb.SinkTaskMessage_Resume:
		for _, one := range kind.Resume.Partitions {
			delete(h.paused, TopicPartition{one.Topic, int32(one.Partition)})
		}
	case *pb.SinkTaskMessage_ErrantReport:
		h.onReport(h.stream, kind.ErrantReport)
	}
}

func (h *SinkHarness) onReport(stream *memoryStream, said *pb.ErrantReport) {
	for _, one := range offsetsOf([]*pb.PartitionOffset{said.GetOriginal()}) {
		h.Reported = append(h.Reported, GivenUp{one, said.Failure.GetText()})
	}
	receipt := &pb.HostSinkMessage{Kind: &pb.HostSinkMessage_ErrantReceipt{
		ErrantReceipt: &pb.ErrantReceipt{ReportId: said.ReportId}}}
	// The task says it under a lock of its own.
	go stream.tell(receipt)
}
