package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

type countTask struct {
	SourceTask[struct {
		Topic string
		Fail  int `default:"-1"`
	}]
	acked, committed int
	retried          bool
}

var countPlace = Object{"count": "main"}

func (c *countTask) Read(ctx context.Context) iter.Seq2[[]Record, error] {
	return func(yield func([]Record, error) bool) {
		last, err := c.Offset(ctx, countPlace)
		if err != nil {
			yield(nil, err)
			return
		}
		for n := last.Int("n"); ; n++ {
			if int(n) == c.Config.Fail && !c.retried {
				c.retried = true
				if !yield(nil, Retriable(errors.New("not now"))) {
					return
				}
			}
			record := Record{Topic: c.Config.Topic, Key: "k", Value: fmt.Sprintf("line %d", n), SourcePartition: countPlace,
				SourceOffset: Object{"n": n + 1}, Headers: []Header{{Name: "n", Value: []byte{1}}}}
			if !yield([]Record{record}, nil) {
				return
			}
		}
	}
}

func (c *countTask) Acked(_ context.Context, records []Record) error {
	c.acked += len(records)
	return nil
}

func (c *countTask) Committed(context.Context, []SourceOffset) error {
	c.committed++
	return nil
}

func mustHave[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func valuesOf(records []ReadRecord) string {
	var texts []string
	for _, one := range records {
		texts = append(texts, fmt.Sprint(one.Value))
	}
	return strings.Join(texts, ", ")
}

func TestASourceGoesOnBehindWhatWasCommitted(t *testing.T) {
	task := mustHave[*SourceHarness](t)(HarnessSource(Source[countTask]("c"), map[string]string{"topic": "t"}))
	records := mustHave[[]ReadRecord](t)(task.Read(2))
	if valuesOf(records) != "line 0, line 1" || records[0].Topic != "t" || records[0].Key != "k" ||
		records[1].SourceOffset.Int("n") != 2 || records[0].Headers[0].Name != "n" || records[0].Partition != nil {
		t.Fatal(records)
	}
	check(t, task.Commit())
	user := task.Task().(*countTask)
	mustHave[[]ReadRecord](t)(task.Read(1))
	check(t, task.Stop())
	// A batch is acked when all of it has been read, and the second record's may hold more.
	if user.acked < 1 || user.acked > 2 || user.committed != 1 {
		t.Error(user.acked, user.committed)
	}
	// What was read after the commit comes again; after a crash too.
	check(t, task.Resume())
	if got := valuesOf(mustHave[[]ReadRecord](t)(task.Read(3))); got != "line 2, line 3, line 4" {
		t.Error(got)
	}
	task.Crash()
	check(t, task.Resume())
	if got := valuesOf(mustHave[[]ReadRecord](t)(task.Read(1))); got != "line 2" {
		t.Error(got)
	}
	// A rebalance commits what was read.
	check(t, task.Rebalance())
	if got := valuesOf(mustHave[[]ReadRecord](t)(task.Read(1))); got != "line 3" {
		t.Error(got)
	}
	check(t, task.Stop())
}

func TestASourceThatIsToTryAgainWaitsForTheClock(t *testing.T) {
	task := mustHave[*SourceHarness](t)(HarnessSource(Source[countTask]("c"), map[string]string{"topic": "t", "fail": "1"}))
	mustHave[[]ReadRecord](t)(task.Read(1))
	read := make(chan string)
	go func() {
		records, err := task.Read(1)
		read <- fmt.Sprint(valuesOf(records), err)
	}()
	for task.Clock.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	task.Clock.Advance(time.Minute)
	if got := <-read; got != "line 1<nil>" {
		t.Error(got)
	}
	check(t, task.Stop())
}

type brokenTask struct{ SourceTask[struct{}] }

func (*brokenTask) Poll(context.Context) ([]Record, error) { panic("no luck") }

func TestWhatUserCodeFailsWithIsTheError(t *testing.T) {
	_, err := HarnessSource(Source[countTask]("c"), nil)
	if err == nil || !strings.Contains(err.Error(), `Missing required configuration "topic"`) {
		t.Error(err)
	}
	task := mustHave[*SourceHarness](t)(HarnessSource(Source[brokenTask]("b"), nil))
	_, err = task.Read(1)
	var said *HarnessError
	if !errors.As(err, &said) || said.Text != "panic: no luck" || !strings.Contains(said.Stack, "harness_test.go") {
		t.Error(err)
	}
	task.Crash()
}

type keepTask struct {
	SinkTask[struct{}]
	puts  []string
	mood  string
	idles int
	lost  []TopicPartition
}

func (k *keepTask) Put(ctx context.Context, records []SinkRecord) error {
	if len(records) == 0 {
		k.idles++
		return nil
	}
	mood := k.mood
	k.mood = ""
	var bad RecordErrors
	for at := range records {
		value, err := records[at].Value()
		if err != nil {
			return err
		}
		switch value {
		case "bad":
			bad = append(bad, RecordError{Index: at, Err: errors.New("not this one")})
			continue
		case "odd":
			if err := k.Report(ctx, &records[at], errors.New("nor this")); err != nil {
				return err
			}
			continue
		}
		k.puts = append(k.puts, fmt.Sprintf("%v@%d", value, records[at].Offset))
	}
	switch mood {
	case "again":
		return Retriable(errors.New("not now")).After(time.Second)
	case "rewind":
		k.Rewind(TopicOffset{records[0].TopicPartition(), 0})
	case "fail":
		return errors.New("the disk is full")
	}
	if len(bad) > 0 {
		return bad
	}
	return nil
}

func (k *keepTask) Close(_ context.Context, partitions []TopicPartition) error {
	k.lost = append(k.lost, partitions...)
	return nil
}

type lastTask struct {
	SourceTask[struct{}]
	isDone bool
}

func (l *lastTask) Poll(ctx context.Context) ([]Record, error) {
	if l.isDone {
		<-ctx.Done()
		return nil, nil
	}
	l.isDone = true
	records := make([]Record, 10)
	for at := range records {
		records[at] = Record{Topic: "t", Value: at, SourcePartition: countPlace, SourceOffset: Object{"n": at + 1}}
	}
	return records, nil
}

func TestABatchThatWasNotReadWholeIsNotCommitted(t *testing.T) {
	task := mustHave[*SourceHarness](t)(HarnessSource(Source[lastTask]("l", WithLastOffsets()), nil))
	mustHave[[]ReadRecord](t)(task.Read(3))
	check(t, task.Commit())
	if len(task.Committed) != 0 {
		t.Error(task.Committed)
	}
	mustHave[[]ReadRecord](t)(task.Read(7))
	check(t, task.Commit())
	if got := task.Committed[`{"count":"main"}`]; got.Int("n") != 10 {
		t.Error(task.Committed)
	}
	check(t, task.Stop())
}

// nilError is an error whose methods do not bear a nil pointer.
type nilError struct{ inner error }

func (e *nilError) Error() string { return e.inner.Error() }
func (e *nilError) Unwrap() error { return e.inner }

type oddTask struct {
	countTask
	stopped bool
}

func (o *oddTask) Start(context.Context) error {
	if o.Config.Topic == "nil" {
		return (*nilError)(nil)
	}
	return nil
}

func (o *oddTask) Acked(context.Context, []Record) error {
	runtime.Goexit()
	return nil
}

func (o *oddTask) Stop(context.Context) error {
	o.stopped = true
	return nil
}

func TestAnErrorThatIsANilPointerIsTold(t *testing.T) {
	_, err := HarnessSource(Source[oddTask]("o"), map[string]string{"topic": "nil"})
	if err == nil || !strings.Contains(err.Error(), "an error of type *bulkhead.nilError cannot be looked at") {
		t.Error(err)
	}
}

func TestAnAckedThatEndsItsGoroutineKeepsNobodyFromStopping(t *testing.T) {
	task := mustHave[*SourceHarness](t)(HarnessSource(Source[oddTask]("o"), map[string]string{"topic": "t"}))
	mustHave[[]ReadRecord](t)(task.Read(1))
	check(t, task.Commit())
	check(t, task.Stop())
	if !task.Task().(*oddTask).stopped {
		t.Error("Stop was not called")
	}
}

func TestASinkGetsMoreThanAMessageHolds(t *testing.T) {
	task := mustHave[*SinkHarness](t)(HarnessSink(Sink[keepTask]("k"), nil))
	large := strings.Repeat("x", 3*1024*1024)
	check(t, task.PutValues(large, large, "small"))
	if got := len(task.Task().(*keepTask).puts); got != 3 {
		t.Error(got)
	}
	check(t, task.Stop())
}

func TestASinkGetsWhatItHasNotStored(t *testing.T) {
	task := mustHave[*SinkHarness](t)(HarnessSink(Sink[keepTask]("k"), nil))
	user := task.Task().(*keepTask)
	topic := TopicPartition{Topic: "topic"}
	check(t, task.PutValues("a", "bad", "odd", "b"))
	if got := strings.Join(user.puts, " "); got != "a@0 b@3" {
		t.Error(got)
	}
	if len(task.Reported) != 2 || task.Reported[0] != (GivenUp{TopicOffset{topic, 2}, "nor this"}) ||
		task.Reported[1] != (GivenUp{TopicOffset{topic, 1}, "not this one"}) {
		t.Error(task.Reported)
	}
	check(t, task.Commit())
	if task.Committed[topic] != 4 {
		t.Error(task.Committed)
	}
	user.puts, user.mood = nil, "again"
	check(t, task.PutValues("c"))
	if got := strings.Join(user.puts, " "); got != "c@4 c@4" {
		t.Error(got)
	}
	user.puts = nil
	check(t, task.Lose())
	if got := strings.Join(user.puts, " "); got != "c@4" || !slices.Equal(user.lost, []TopicPartition{topic}) {
		t.Error(got, user.lost)
	}
	check(t, task.Rebalance())
	three := int32(3)
	user.puts, user.mood = nil, "rewind"
	check(t, task.Put(Record{Topic: "other", Partition: &three, Value: "d"}))
	if got := strings.Join(user.puts, " "); got != "d@0 d@0" {
		t.Error(got)
	}
	check(t, task.Idle(2*time.Minute))
	check(t, task.Stop())
	if user.idles != 1 || task.Committed[TopicPartition{"other", 3}] != 1 {
		t.Error(user.idles, task.Committed)
	}
	check(t, task.Resume())
	again := task.Task().(*keepTask)
	check(t, task.PutValues("e"))
	task.Crash()
	check(t, task.Resume())
	if got := strings.Join(task.Task().(*keepTask).puts, " "); got != "e@5" || again == task.Task() {
		t.Error(got)
	}
	task.Task().(*keepTask).mood = "fail"
	if err := task.PutValues("f"); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Error(err)
	}
	task.Crash()
}
