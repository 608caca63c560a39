package bulkhead

import (
	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// What a failure takes in a result besides its own bytes.
const runBytes = 16

// stageResults writes the result of one batch after the other, each in as many messages as it needs.
type stageResults struct {
	write  func(proto.Message)
	packer *packer
	seq    uint64
	runs   []*pb.StageRun
}

func newStageResults(write func(proto.Message), maxMessageBytes int) *stageResults {
	definitions := newOutDefinitions(func(message proto.Message) { write(asStageMessage(message)) })
	packer := newPacker(definitions, maxMessageBytes, false)
	packer.noOffsets = true
	return &stageResults{write: write, packer: packer}
}

// asStageMessage is a definition in a stage's words.
func asStageMessage(message proto.Message) *pb.StageMessage {
	switch kind := message.(*pb.SourceTaskMessage).Kind.(type) {
	case *pb.SourceTaskMessage_Topic:
		return &pb.StageMessage{Kind: &pb.StageMessage_Topic{Topic: kind.Topic}}
	case *pb.SourceTaskMessage_Name:
		return &pb.StageMessage{Kind: &pb.StageMessage_Name{Name: kind.Name}}
	case *pb.SourceTaskMessage_Form:
		return &pb.StageMessage{Kind: &pb.StageMessage_Form{Form: kind.Form}}
	}
	return &pb.StageMessage{Kind: &pb.StageMessage_Forget{Forget: &pb.Forget{}}}
}

// ok: the next record goes on like this. After an error nothing has been said of it.
func (r *stageResults) ok(record *Record) error {
	added, err := r.packer.add(record)
	if err == nil && !added {
		r.send(true)
		_, err = r.packer.add(record)
	}
	if err == nil {
		r.say(pb.StageVerdict_STAGE_VERDICT_OK)
	}
	return err
}

func (r *stageResults) say(verdict pb.StageVerdict) {
	if count := len(r.runs); count > 0 && r.runs[count-1].Verdict == verdict {
		r.runs[count-1].Count++
		return
	}
	r.runs = append(r.runs, &pb.StageRun{Count: 1, Verdict: verdict})
}

func (r *stageResults) failed(failure *pb.Failure) {
	bytes := proto.Size(failure) + runBytes
	if len(r.runs) > 0 && r.packer.bytes+r.packer.otherBytes+bytes > r.packer.maxMessageBytes {
		r.send(true)
	}
	r.packer.otherBytes += bytes
	r.runs = append(r.runs, &pb.StageRun{Count: 1, Verdict: pb.StageVerdict_STAGE_VERDICT_FAILED, Failure: failure})
}

// send writes what has been said; more: the result goes on in another message.
func (r *stageResults) send(more bool) {
	result := &pb.StageResult{Seq: r.seq, Runs: r.runs, More: more}
	if r.packer.count > 0 {
		result.Columns = r.packer.finish(func(string, *string) {})
	}
	r.runs, r.packer.otherBytes = nil, 0
	r.write(&pb.StageMessage{Kind: &pb.StageMessage_Result{Result: result}})
}
