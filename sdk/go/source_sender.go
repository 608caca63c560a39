package bulkhead

import (
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	// Records wait so long for others while more keep coming; after a quiet spell they go at once.
	linger         = 5 * time.Millisecond
	checkpointsMax = 1_000
)

// sourceSender stands between what was read and the stream: packs, keeps to the credit, sends in good
// time. A batch goes when it is full, when it has lingered, or when flush says so; never without credit.
// take and turn are called by the goroutine that reads, the rest by any.
type sourceSender struct {
	write     func(proto.Message)
	meter     *taskMeter
	onOffsets func(partition string, offset *string)
	onSent    func(seq uint64, records []Record)

	// Guards all that follows; whoever waits for credit or an end waits on changed.
	lock          sync.Mutex
	changed       sync.Cond
	packer        *packer
	checkpoints   []*pb.Checkpoint
	batchRecords  []Record
	batchSeq      uint64
	creditRecords int64
	creditBytes   int64
	sentAt        time.Time
	sent          uint64
	midPoll       bool
	paused        bool
	closed        bool
	lingerIsArmed bool
}

func newSourceSender(write func(proto.Message), meter *taskMeter, onOffsets func(string, *string), maxMessageBytes int, lastMode bool) *sourceSender {
	made := &sourceSender{write: write, meter: meter, onOffsets: onOffsets}
	made.changed.L = &made.lock
	made.packer = newPacker(newOutDefinitions(write), maxMessageBytes, lastMode)
	return made
}

// turn waits until the next poll may begin; false = there is none any more.
func (s *sourceSender) turn() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	for !s.closed && (s.paused || (s.holds() && !s.maySend())) {
		// Also when paused: what was polled before is sent to its end.
		if s.holds() && s.maySend() {
			s.sendBatch(true)
		}
		if s.paused {
			s.meter.now(pb.TaskActivity_TASK_ACTIVITY_PAUSED)
		} else {
			s.meter.now(pb.TaskActivity_TASK_ACTIVITY_IDLE)
		}
		s.changed.Wait()
	}
	return !s.closed
}

// take packs what one poll returned. The error says what is wrong with a record.
func (s *sourceSender) take(records []Record) error {
	if len(records) == 0 {
		return nil
	}
	s.meter.recordsIn.Add(uint64(len(records)))
	s.lock.Lock()
	defer s.lock.Unlock()
	s.midPoll = true
	defer func() { s.midPoll = false }()
	for at := 0; !s.closed; {
		var err error
		if at, err = s.pack(records, at); err != nil {
			return err
		}
		if at >= len(records) {
			break
		}
		s.sendWhenAllowed(false)
	}
	s.midPoll = false
	if s.closed || !s.holds() {
		return nil
	}
	waited := time.Since(s.sentAt)
	if s.maySend() && (s.packer.full() || waited >= linger) {
		s.sendBatch(true)
	} else {
		s.armLinger(linger - waited)
	}
	return nil
}

// pack gives the place of the first item that has to wait for a batch to go.
func (s *sourceSender) pack(records []Record, at int) (int, error) {
	for ; at < len(records); at++ {
		record := &records[at]
		if record.isCheckpoint {
			if len(s.checkpoints) >= checkpointsMax {
				return at, nil
			}
			said, err := checkpointOf(record)
			if err != nil {
				return at, err
			}
			s.checkpoints = append(s.checkpoints, said)
			continue
		}
		// A checkpoint keeps its place behind the records before it.
		if len(s.checkpoints) > 0 || s.packer.full() {
			return at, nil
		}
		fits, err := s.packer.add(record)
		if err != nil || !fits {
			return at, err
		}
		if s.onSent != nil {
			s.batchRecords = append(s.batchRecords, *record)
		}
	}
	return at, nil
}

func checkpointOf(record *Record) (*pb.Checkpoint, error) {
	partition, err := jsonText(record.SourcePartition)
	if err != nil {
		return nil, err
	}
	said := &pb.Checkpoint{Partition: partition}
	if record.SourceOffset != nil {
		offset, err := jsonText(record.SourceOffset)
		if err != nil {
			return nil, err
		}
		said.Offset = &offset
	}
	return said, nil
}

// armLinger sends what waits while the user's code takes its time.
func (s *sourceSender) armLinger(wait time.Duration) {
	if s.lingerIsArmed {
		return
	}
	s.lingerIsArmed = true
	time.AfterFunc(max(0, wait), func() {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.lingerIsArmed = false
		s.sendIfIdle()
	})
}

// sendIfIdle: no poll is being packed. Without credit, addCredit calls it again.
func (s *sourceSender) sendIfIdle() {
	if !s.closed && !s.midPoll && s.holds() && s.maySend() {
		s.sendBatch(true)
	}
}

// flush sends what is packed, when there is credit for it.
func (s *sourceSender) flush() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.sendWhenAllowed(true)
}

// sendWhatHasCredit is for the end: what has no credit is dropped.
func (s *sourceSender) sendWhatHasCredit() {
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.closed && s.holds() && s.maySend() {
		s.sendBatch(!s.midPoll)
	}
}

func (s *sourceSender) addCredit(records, bytes int64) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.creditRecords += records
	s.creditBytes += bytes
	if !s.lingerIsArmed {
		s.sendIfIdle()
	}
	s.changed.Broadcast()
}

func (s *sourceSender) pause(paused bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.paused = paused
	s.changed.Broadcast()
}

// close: nothing is sent any more; whoever waits goes on.
func (s *sourceSender) close() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

func (s *sourceSender) sentRecords() uint64 {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.sent
}

func (s *sourceSender) holds() bool { return s.packer.count > 0 || len(s.checkpoints) > 0 }

// maySend: credit is for records; a checkpoint only keeps its place behind them.
func (s *sourceSender) maySend() bool {
	return s.packer.count == 0 || (s.creditRecords > 0 && s.creditBytes > 0)
}

func (s *sourceSender) sendWhenAllowed(pollEnd bool) {
	for s.holds() && !s.maySend() && !s.closed {
		s.meter.now(pb.TaskActivity_TASK_ACTIVITY_IDLE)
		s.changed.Wait()
	}
	if s.holds() && !s.closed {
		s.sendBatch(pollEnd)
	}
}

func (s *sourceSender) sendBatch(pollEnd bool) {
	s.sentAt = time.Now()
	s.meter.progress(s.sentAt)
	if s.packer.count > 0 {
		s.batchSeq++
		count, cost := s.packer.count, s.packer.bytes
		s.creditRecords -= int64(count)
		s.creditBytes -= int64(cost)
		s.sent += uint64(count)
		s.meter.recordsOut.Add(uint64(count))
		columns := s.packer.finish(s.onOffsets)
		if s.onSent != nil {
			// Before the host can answer.
			s.onSent(s.batchSeq, s.batchRecords)
			s.batchRecords = nil
		}
		s.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Records{
			Records: &pb.Records{BatchSeq: s.batchSeq, Columns: columns, PollEnd: pollEnd}}})
	}
	for _, said := range s.checkpoints {
		s.onOffsets(said.Partition, said.Offset)
		s.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Checkpoint{Checkpoint: said}})
	}
	s.checkpoints = nil
}
