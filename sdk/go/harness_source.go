package bulkhead

import (
	"fmt"
	"maps"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const harnessPlenty = 1 << 40

// ReadRecord is a record that a source gave, as it would be in Kafka.
type ReadRecord struct {
	Topic      string
	Partition  *int32
	Key, Value any
	// The zero time = none.
	Timestamp                     time.Time
	Headers                       []Header
	SourcePartition, SourceOffset Object
}

// SourceHarness reads what a source gives, only as far as it is asked for: the rest waits for credit.
// For tests of a connector's own: no host, no Kafka. One goroutine uses it.
type SourceHarness struct {
	harness
	// Committed are source offsets by the JSON text of their source partition.
	Committed map[string]Object

	definitions *inDefinitions
	partitions  map[uint32]string
	queue       []harnessRecord
	given       []harnessRecord
	// Records of credit that the task has left; below 0 after a batch larger than its credit.
	credit      int64
	checkpoints map[string]Object
	isDrained   bool
	broken      error
}

type harnessRecord struct {
	seq    uint64
	record ReadRecord
}

// HarnessSource runs a source class in memory with that config; Stop or Crash ends it. Errors are
// HarnessErrors: what user code failed with, or what did not happen within 10 s.
func HarnessSource(class Class, config map[string]string) (*SourceHarness, error) {
	made := &SourceHarness{Committed: map[string]Object{}}
	if err := made.set(class, config); err != nil {
		return nil, err
	}
	if class.kind != pb.PluginKind_PLUGIN_KIND_SOURCE {
		return nil, ConfigError("%s is a %s, not a source", class.name, class.kindName())
	}
	return made, made.begin()
}

// Read gives the next records; an error when the source fails or gives fewer in time.
func (h *SourceHarness) Read(count int) ([]ReadRecord, error) {
	h.lock.Lock()
	wanted := int64(count-len(h.queue)) - h.credit
	if wanted > 0 && count > len(h.queue) {
		h.credit += wanted
	} else {
		wanted = 0
	}
	h.lock.Unlock()
	if wanted > 0 {
		h.tell(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Credit{
			Credit: &pb.Credit{Records: wanted, Bytes: harnessPlenty}}})
	}
	err := h.await(fmt.Sprintf("give %d records", count), func() bool { return len(h.queue) >= count || h.broken != nil })
	h.lock.Lock()
	defer h.lock.Unlock()
	if err == nil {
		err = h.broken
	}
	if err != nil {
		return nil, err
	}
	taken := h.queue[:count:count]
	h.queue = h.queue[count:]
	h.given = append(h.given, taken...)
	records := make([]ReadRecord, count)
	for at := range taken {
		records[at] = taken[at].record
	}
	return records, nil
}

// Commit: what Read has given is in Kafka, and its offsets are durable.
func (h *SourceHarness) Commit() error {
	h.lock.Lock()
	waiting := map[uint64]bool{}
	for _, one := range h.queue {
		waiting[one.seq] = true
	}
	through := uint64(0)
	changed := map[string]Object{}
	for _, one := range h.given {
		if !waiting[one.seq] {
			through = max(through, one.seq)
		}
		if one.record.SourcePartition != nil {
			text, err := jsonText(one.record.SourcePartition)
			if err != nil {
				h.lock.Unlock()
				return err
			}
			changed[text] = one.record.SourceOffset
		}
	}
	maps.Copy(changed, h.checkpoints)
	maps.Copy(h.Committed, changed)
	h.given, h.checkpoints = nil, map[string]Object{}
	h.lock.Unlock()
	if through > 0 {
		h.tell(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Acked{Acked: &pb.Acked{Through: through}}})
	}
	committed := &pb.Committed{}
	for partition, offset := range changed {
		one := &pb.CommittedOffset{Partition: partition}
		if offset != nil {
			text, err := jsonText(offset)
			if err != nil {
				return err
			}
			one.Offset = &text
		}
		committed.Offsets = append(committed.Offsets, one)
	}
	h.tell(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Committed{Committed: committed}})
	return nil
}

// Pause: the host wants nothing until Unpause.
func (h *SourceHarness) Pause() {
	h.tell(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Pause{Pause: &pb.PauseSource{}}})
}

// Unpause ends Pause.
func (h *SourceHarness) Unpause() {
	h.tell(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Resume{Resume: &pb.ResumeSource{}}})
}

// Rebalance: the task ends in good order, what was read is committed, and it starts elsewhere.
func (h *SourceHarness) Rebalance() error {
	h.tell(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Drain{Drain: &pb.Drain{}}})
	err := h.await("drain", func() bool { return h.isDrained })
	if err == nil {
		err = h.Commit()
	}
	if err == nil {
		err = h.Stop()
	}
	if err == nil {
		err = h.begin()
	}
	return err
}

// Resume is a new task, which begins where the commits say.
func (h *SourceHarness) Resume() error {
	if !h.isOver() {
		if err := h.Stop(); err != nil {
			return err
		}
	}
	return h.begin()
}

// Stop ends the task as a host does, with what its functions failed with.
func (h *SourceHarness) Stop() error {
	return h.end(&pb.HostSourceMessage{Kind: &pb.HostSourceMessage_Stop{
		Stop: &pb.Stop{TimeoutMs: uint64(harnessStop.Milliseconds())}}})
}

func (h *SourceHarness) tell(message *pb.HostSourceMessage) { h.stream.tell(message) }

func (h *SourceHarness) begin() error {
	h.definitions, h.partitions = newInDefinitions(), map[uint32]string{}
	h.queue, h.given, h.credit, h.checkpoints = nil, nil, 0, map[string]Object{}
	h.isDrained, h.broken = false, nil
	return h.launch(h.readOffsets, h.hear)
}

func (h *SourceHarness) readOffsets(partitions []Object) ([]Object, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	found := make([]Object, len(partitions))
	for at, one := range partitions {
		text, err := jsonText(one)
		if err != nil {
			return nil, err
		}
		found[at] = h.Committed[text]
	}
	return found, nil
}

// hear runs under the harness' lock.
func (h *SourceHarness) hear(message proto.Message) {
	switch kind := message.(*pb.SourceTaskMessage).Kind.(type) {
	case *pb.SourceTaskMessage_Started:
		h.hasStarted = true
	case *pb.SourceTaskMessage_Failure:
		h.failure = kind.Failure
	case *pb.SourceTaskMessage_Stopped:
		if kind.Stopped.Failure != nil {
			h.failure = kind.Stopped.Failure
		}
	case *pb.SourceTaskMessage_Drained:
		h.isDrained = true
	case *pb.SourceTaskMessage_Topic:
		h.definitions.topic(kind.Topic)
	case *pb.SourceTaskMessage_Name:
		h.definitions.name(kind.Name)
	case *pb.SourceTaskMessage_Form:
		h.definitions.form(kind.Form)
	case *pb.SourceTaskMessage_Partition:
		h.partitions[kind.Partition.Id] = kind.Partition.Partition
	case *pb.SourceTaskMessage_Forget:
		h.definitions, h.partitions = newInDefinitions(), map[uint32]string{}
	case *pb.SourceTaskMessage_Checkpoint:
		offset, err := parseObject(kind.Checkpoint.Offset)
		h.checkpoints[kind.Checkpoint.Partition] = offset
		h.note(err)
	case *pb.SourceTaskMessage_Records:
		h.note(h.take(kind.Records))
	}
}

func (h *SourceHarness) note(err error) {
	if h.broken == nil {
		h.broken = err
	}
}

func (h *SourceHarness) take(said *pb.Records) error {
	columns := said.Columns
	h.credit -= max(1, int64(columns.GetCount()))
	batch := newStageRows(h.definitions, &pb.Put{Columns: columns})
	partitions, offsets, err := sourcePlaces(batch.columns, h.partitions, h.class.options.lastOffsets)
	if err != nil {
		return err
	}
	for at := range batch.records {
		row := &batch.records[at]
		one := ReadRecord{Topic: row.Topic, Timestamp: row.Timestamp,
			SourcePartition: partitions[at], SourceOffset: offsets[at]}
		if row.Partition >= 0 {
			one.Partition = &row.Partition
		}
		if one.Key, err = row.Key(); err != nil {
			return err
		}
		if one.Value, err = row.Value(); err != nil {
			return err
		}
		if one.Headers, err = row.Headers(); err != nil {
			return err
		}
		h.queue = append(h.queue, harnessRecord{said.BatchSeq, one})
	}
	return nil
}

// sourcePlaces are the source partition and offset of each record; in mode LAST the newest of the batch.
func sourcePlaces(columns *pb.Columns, texts map[uint32]string, isLast bool) (partitions, offsets []Object, err error) {
	count := int(columns.Count)
	named := make([]Object, len(columns.SourcePartitions))
	for at, id := range columns.SourcePartitions {
		text := texts[id]
		if named[at], err = parseObject(&text); err != nil {
			return nil, nil, err
		}
	}
	said := make([]Object, len(columns.OffsetSizes))
	start := 0
	for at, size := range columns.OffsetSizes {
		switch {
		case size == 1:
			said[at] = said[at-1]
		case size > 1:
			text := string(columns.OffsetArena[start : start+int(size)-2])
			start += len(text)
			if said[at], err = parseObject(&text); err != nil {
				return nil, nil, err
			}
		}
	}
	partitions, offsets = make([]Object, count), make([]Object, count)
	if isLast {
		// Which record is of which partition is not said: the last ones stand for the batch.
		for at := range named {
			if to := count - len(named) + at; to >= 0 {
				partitions[to], offsets[to] = named[at], said[at]
			}
		}
		return partitions, offsets, nil
	}
	for at := range count {
		partitions[at], offsets[at] = named[min(at, len(named)-1)], said[at]
	}
	return partitions, offsets, nil
}
