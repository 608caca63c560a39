package bulkhead

import (
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const harnessPutRecords = 1_000

// deliver puts what is not delivered yet, until all of it is taken or paused.
func (h *SinkHarness) deliver() error {
	deadline := time.Now().Add(harnessWait)
	for {
		batch := h.due()
		if len(batch) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return &HarnessError{Text: "the sink asks for the same records again and again"}
		}
		if err := h.putOnce(batch); err != nil {
			return err
		}
	}
}

type duePut struct {
	place  TopicPartition
	offset int64
	record *Record
}

func (h *SinkHarness) due() []duePut {
	h.lock.Lock()
	defer h.lock.Unlock()
	var batch []duePut
	for _, place := range h.assigned {
		if h.paused[place] {
			continue
		}
		records := h.records[place]
		for at := h.positions[place]; at < int64(len(records)) && len(batch) < harnessPutRecords; at++ {
			batch = append(batch, duePut{place, at, &records[at]})
		}
	}
	return batch
}

func (h *SinkHarness) putOnce(batch []duePut) error {
	columns, err := h.columns(batch)
	if err != nil {
		return err
	}
	batch = batch[:columns.Count]
	h.putSeq++
	h.lock.Lock()
	epoch := h.epoch
	h.lock.Unlock()
	put := &pb.Put{PutSeq: h.putSeq, Epoch: epoch, Columns: columns}
	result, err := ask[*pb.PutResult](h, "put", &pb.HostSinkMessage{Kind: &pb.HostSinkMessage_Put{Put: put}})
	if err != nil {
		return err
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	switch kind := result.Kind.(type) {
	case *pb.PutResult_Failure:
		return harnessError(kind.Failure)
	case *pb.PutResult_Retry:
		h.Clock.Advance(time.Duration(kind.Retry.RetryAfterMs) * time.Millisecond)
	case *pb.PutResult_Ok, *pb.PutResult_Runs:
		for _, one := range batch {
			h.positions[one.place] = one.offset + 1
		}
		h.noteFailed(batch, result.GetRuns().GetRuns())
	}
	for place, offset := range h.rewinds {
		if _, ok := h.positions[place]; ok {
			h.positions[place] = offset
		}
	}
	clear(h.rewinds)
	return nil
}

func (h *SinkHarness) noteFailed(batch []duePut, runs []*pb.Run) {
	at := 0
	for _, run := range runs {
		for _, one := range batch[at : at+int(run.Count)] {
			if failed := run.Outcome.GetFailed(); failed != nil {
				h.Reported = append(h.Reported, GivenUp{TopicOffset{one.place, one.offset}, failed.Failure.GetText()})
			}
		}
		at += int(run.Count)
	}
}

// columns are packed by the code of a source; the two sides differ in a few columns only.
func (h *SinkHarness) columns(batch []duePut) (*pb.Columns, error) {
	for _, one := range batch {
		added, err := h.packer.add(one.record)
		if err != nil {
			h.packer.finish(func(string, *string) {})
			return nil, err
		}
		if !added {
			// The rest comes with the next put.
			break
		}
	}
	columns := h.packer.finish(func(string, *string) {})
	batch = batch[:columns.Count]
	before := int64(0)
	for _, one := range batch {
		columns.Offsets = append(columns.Offsets, one.offset-before)
		before = one.offset
	}
	return columns, nil
}

func (h *SinkHarness) define(message proto.Message) {
	said := &pb.HostSinkMessage{}
	switch kind := message.(*pb.SourceTaskMessage).Kind.(type) {
	case *pb.SourceTaskMessage_Topic:
		said.Kind = &pb.HostSinkMessage_Topic{Topic: kind.Topic}
	case *pb.SourceTaskMessage_Name:
		said.Kind = &pb.HostSinkMessage_Name{Name: kind.Name}
	case *pb.SourceTaskMessage_Form:
		said.Kind = &pb.HostSinkMessage_Form{Form: kind.Form}
	case *pb.SourceTaskMessage_Forget:
		said.Kind = &pb.HostSinkMessage_Forget{Forget: &pb.Forget{}}
	}
	h.stream.tell(said)
}
