package bulkhead

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

func result(one *pb.StageMessage) (*pb.StageResult, bool) {
	return one.GetResult(), one.GetResult() != nil
}

func failure(one *pb.StageMessage) (*pb.Failure, bool) {
	return one.GetFailure(), one.GetFailure() != nil
}

func credit(one *pb.StageMessage) (*pb.Credit, bool) {
	return one.GetCredit(), one.GetCredit() != nil
}

// trial is a stage that is open, and what its host says to it.
type trial struct {
	*memoryWire
	stage *runningStage
	// What the plugin has defined.
	forms map[uint32]*pb.FormDef
}

func openTrial(t *testing.T, class Class, config map[string]string) *trial {
	t.Helper()
	if class.problem != nil {
		t.Fatal(class.problem)
	}
	made := &memoryWire{}
	made.changed.L = &made.lock
	request := &pb.OpenStageRequest{StageId: "s", Alias: "a", ClassName: class.name, Config: config, IsKey: true}
	stage := newRunningStage(&stageHost{connector: "c", request: request, maxMessageBytes: 64 * 1024, stream: made,
		ctx: t.Context(), log: slog.New(slog.NewTextHandler(io.Discard, nil))}, &class)
	stage.run()
	<-stage.opened
	return &trial{memoryWire: made, stage: stage, forms: map[uint32]*pb.FormDef{}}
}

func (w *trial) tell(messages ...*pb.HostStageMessage) {
	for _, one := range messages {
		w.onMessage(one)
	}
}

// define says that topic 1 is t, name 1 is h, and forms 1 to 3 are text, bytes and JSON of that schema.
func (w *trial) define(schema string) {
	w.tell(
		&pb.HostStageMessage{Kind: &pb.HostStageMessage_Topic{Topic: &pb.TopicDef{Id: 1, Topic: "t"}}},
		&pb.HostStageMessage{Kind: &pb.HostStageMessage_Name{Name: &pb.NameDef{Id: 1, Name: "h"}}},
	)
	for id, said := range []*pb.FormDef{{Encoding: encodeText}, {Encoding: encodeBytes}, {Encoding: encodeJSON, Schema: &schema}} {
		said.Id = uint32(id + 1)
		w.tell(&pb.HostStageMessage{Kind: &pb.HostStageMessage_Form{Form: said}})
	}
}

// batch sends values in a form, each record with one header of bytes.
func (w *trial) batch(seq uint64, operation pb.StageOperation, form uint32, values ...string) {
	columns := &pb.Columns{Count: uint32(len(values)), Topics: []uint32{1}, ValueForms: []uint32{form}, HeaderForms: []uint32{2}}
	for _, value := range values {
		columns.Arena = append(columns.Arena, value+"v"...)
		columns.ValueSizes = append(columns.ValueSizes, uint32(len(value)+1))
		columns.HeaderCounts = append(columns.HeaderCounts, 1)
		columns.HeaderNames = append(columns.HeaderNames, 1)
		columns.HeaderSizes = append(columns.HeaderSizes, 2)
	}
	w.tell(&pb.HostStageMessage{Kind: &pb.HostStageMessage_Batch{
		Batch: &pb.StageBatch{Seq: seq, Operation: operation, Columns: columns}}})
}

const (
	apply       = pb.StageOperation_STAGE_OPERATION_APPLY
	test        = pb.StageOperation_STAGE_OPERATION_TEST
	intoConnect = pb.StageOperation_STAGE_OPERATION_TO_CONNECT
	intoKafka   = pb.StageOperation_STAGE_OPERATION_FROM_CONNECT
)

func verdictsOf(said *pb.StageResult) string {
	var words []string
	for _, run := range said.Runs {
		for range run.Count {
			words = append(words, strings.TrimPrefix(run.Verdict.String(), "STAGE_VERDICT_"))
		}
	}
	return strings.Join(words, " ")
}

type moody struct {
	StageTask[struct {
		Start string `default:"ok"`
		Stop  string `default:"ok"`
	}]
	stopped bool
	waits   chan struct{}
}

func (m *moody) Start(context.Context) error {
	if m.Config.Start != "ok" {
		return errors.New(m.Config.Start)
	}
	return nil
}

func (m *moody) Apply(ctx context.Context, record *StageRecord) (bool, error) {
	value, err := record.Value()
	if err != nil {
		return false, err
	}
	switch value {
	case "drop":
		return false, nil
	case "fail":
		return false, ConfigError("not this one")
	case "again":
		return false, Retriable(errors.New("not now"))
	case "panic":
		var none map[string]int
		none["x"] = 1
	case "leave":
		runtime.Goexit()
	case "wait":
		close(m.waits)
		<-ctx.Done()
	case "change":
		record.Topic, record.Partition, record.Timestamp = "other", nil, time.UnixMilli(7)
		record.SetKey("key")
		record.SetHeaders(Header{Name: "mine", Value: m.Alias})
		record.SetValue(map[string]any{"offset": record.Offset(), "sink": record.IsSink()})
	case "grow":
		record.SetValue(strings.Repeat("x", 40*1024))
	case "burst":
		record.SetValue(strings.Repeat("x", 70*1024))
	}
	return true, nil
}

func (m *moody) Stop(context.Context) error {
	m.stopped = true
	if m.Config.Stop != "ok" {
		return errors.New(m.Config.Stop)
	}
	return nil
}

func TestApplyAnswersEachRecordByItself(t *testing.T) {
	w := openTrial(t, Transform[moody]("t"), nil)
	w.define(`{"type":"string","optional":false}`)
	next(t, w.memoryWire, credit)
	w.batch(1, apply, 1, "same", "drop", "fail", "again", "panic", "change")
	said := next(t, w.memoryWire, result)
	if got := verdictsOf(said); got != "OK FILTERED FAILED FAILED FAILED OK" {
		t.Fatal(got)
	}
	if said.Seq != 1 || said.More || said.Columns.Count != 2 {
		t.Fatal(said)
	}
	wanted := `samevkey{"offset":-1,"sink":false}a`
	if got := string(said.Columns.Arena); got != wanted {
		t.Fatalf("%q instead of %q", got, wanted)
	}
	failures := []*pb.Failure{said.Runs[2].Failure, said.Runs[3].Failure, said.Runs[4].Failure}
	for at, class := range []string{"DATA", "TRANSIENT", "DATA"} {
		if got := strings.TrimPrefix(failures[at].FailureClass.String(), "FAILURE_CLASS_"); got != class {
			t.Errorf("failure %d is %s instead of %s", at, got, class)
		}
	}
	if failures[0].Text != "not this one" || !strings.Contains(failures[2].Stack, "stage_test.go") {
		t.Error(failures)
	}
	back := next(t, w.memoryWire, credit)
	if back.Records != 6 || back.Bytes != int64(len("samedropfailagainpanicchange")+6+64*12+4096) {
		t.Error(back)
	}
	if failed := w.stage.close(); failed != nil || !w.stage.instance.(*moody).stopped {
		t.Error(failed)
	}
}

func TestWhatIsNotChangedGoesOnAsItCame(t *testing.T) {
	w := openTrial(t, Transform[moody]("t"), nil)
	// Not as this SDK would write it.
	schema := `{ "optional":false, "type":"int64", "doc":"kept" }`
	w.define(schema)
	w.batch(1, apply, 3, "12")
	said := next(t, w.memoryWire, result)
	form := next(t, w.memoryWire, func(one *pb.StageMessage) (*pb.FormDef, bool) {
		return one.GetForm(), one.GetForm() != nil && one.GetForm().Schema != nil
	})
	if *form.Schema != schema || said.Columns.ValueForms[0] != form.Id || string(said.Columns.Arena) != "12v" {
		t.Error(form, said)
	}
	w.stage.close()
}

func TestAResultThatHasGrownComesInParts(t *testing.T) {
	w := openTrial(t, Transform[moody]("t"), nil)
	w.define(`{"type":"string","optional":false}`)
	w.batch(1, apply, 1, "grow", "grow", "burst", "same")
	var parts []*pb.StageResult
	for len(parts) == 0 || parts[len(parts)-1].More {
		parts = append(parts, next(t, w.memoryWire, result))
	}
	var verdicts []string
	for _, one := range parts {
		verdicts = append(verdicts, verdictsOf(one))
	}
	if got := strings.Join(verdicts, " | "); got != "OK | OK | FAILED OK" {
		t.Fatal(got)
	}
	if text := parts[2].Runs[0].Failure.Text; !strings.Contains(text, "the limit is 65536") {
		t.Error(text)
	}
	w.stage.close()
}

type isLong struct{ StageTask[struct{ Min int }] }

func (l *isLong) Test(_ context.Context, record *StageRecord) (bool, error) {
	value, err := record.Value()
	return len(value.(string)) >= l.Config.Min, err
}

func TestAPredicateSaysTrueOrFalse(t *testing.T) {
	w := openTrial(t, Predicate[isLong]("p"), map[string]string{"min": "3"})
	w.define(`{"type":"string","optional":false}`)
	w.batch(1, test, 1, "ab", "abc", "abcd")
	said := next(t, w.memoryWire, result)
	if got := verdictsOf(said); got != "FALSE TRUE TRUE" || said.Columns != nil {
		t.Error(got, said.Columns)
	}
	// A wrong operation fails the whole stage.
	w.batch(2, apply, 1, "ab")
	if said := next(t, w.memoryWire, failure); !strings.Contains(said.Text, "a predicate was asked for STAGE_OPERATION_APPLY") {
		t.Error(said)
	}
	w.stage.close()
}

type upper struct{ StageTask[struct{}] }

func (u *upper) FromConnect(_ context.Context, data *ConnectData) ([]byte, error) {
	data.Headers = append(data.Headers, KafkaHeader{Name: "key", Value: []byte{'n'}})
	return []byte(strings.ToUpper(data.Value.(string) + data.Header)), nil
}

func (u *upper) ToConnect(_ context.Context, data *KafkaData) (any, *Schema, error) {
	if u.IsKey && string(data.Value) == "null" {
		return nil, nil, nil
	}
	return strings.ToLower(string(data.Value) + data.Header), SchemaOf("string"), nil
}

func TestAConverterConvertsValuesAndMayAddHeaders(t *testing.T) {
	w := openTrial(t, Converter[upper]("c"), nil)
	w.define(`{"type":"string","optional":false}`)
	w.batch(1, intoKafka, 1, "ab")
	said := next(t, w.memoryWire, result)
	if got := string(said.Columns.Arena); got != "ABvn" || said.Columns.HeaderCounts[0] != 2 {
		t.Error(got, said.Columns.HeaderCounts)
	}
	w.batch(2, intoConnect, 2, "AB", "null")
	said = next(t, w.memoryWire, result)
	if got := string(said.Columns.Arena); got != "abvv" || said.Columns.ValueSizes[1] != 0 {
		t.Error(got, said.Columns.ValueSizes)
	}
	// Text where bytes are due.
	w.batch(3, intoConnect, 1, "AB")
	said = next(t, w.memoryWire, result)
	if got := said.Runs[0].Failure.GetText(); got != "a value came as string where bytes were due" {
		t.Error(got)
	}
	w.stage.close()
}

func TestAHeaderConverterConvertsHeaders(t *testing.T) {
	w := openTrial(t, HeaderConverter[upper]("h"), nil)
	w.define(`{"type":"string","optional":false}`)
	w.batch(1, intoConnect, 2, "x")
	said := next(t, w.memoryWire, result)
	if got := string(said.Columns.Arena); got != "vh" || said.Columns.ValueSizes != nil {
		t.Error(got, said.Columns.ValueSizes)
	}
	w.stage.close()
}

func TestAStageEndsInEveryWay(t *testing.T) {
	w := openTrial(t, Transform[moody]("t"), map[string]string{"start": "no license"})
	if said := next(t, w.memoryWire, failure); said.Text != "no license" {
		t.Error(said)
	}
	if failed := w.stage.close(); failed != nil || w.stage.instance.(*moody).stopped || !w.finished {
		t.Error("what was not started was stopped", failed)
	}

	w = openTrial(t, Transform[moody]("t"), map[string]string{"stop": "the disk is full"})
	w.define(`{"type":"string","optional":false}`)
	waits := make(chan struct{})
	w.stage.instance.(*moody).waits = waits
	w.batch(1, apply, 1, "wait")
	w.batch(2, apply, 1, "same")
	<-waits
	// The call that runs is told and answered, what waits behind it is dropped.
	if failed := w.stage.close(); failed.GetText() != "the disk is full" {
		t.Error(failed)
	}
	w.lock.Lock()
	for _, one := range w.said {
		if one.GetResult().GetSeq() == 2 {
			t.Error("what waited was answered")
		}
	}
	w.lock.Unlock()

	w = openTrial(t, Transform[moody]("t"), nil)
	w.define(`{"type":"string","optional":false}`)
	w.batch(1, apply, 1, "leave")
	if said := next(t, w.memoryWire, failure); !strings.Contains(said.Text, "runtime.Goexit") {
		t.Error(said)
	}
	<-w.stage.done

	w = openTrial(t, Transform[moody]("t"), nil)
	next(t, w.memoryWire, credit)
	w.batch(1, apply, 9, "x")
	if said := next(t, w.memoryWire, failure); !strings.Contains(said.Text, "broke the contract: no topic has id 1") {
		t.Error(said)
	}
	w.onEnd("the connection is lost")
	<-w.stage.done
	if !w.stage.instance.(*moody).stopped {
		t.Error("a stage whose stream has ended is stopped")
	}
}
