package bulkhead

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	harnessMessageBytes = 4 * 1024 * 1024
	harnessWait         = 10 * time.Second
	harnessStop         = 5 * time.Second
)

// HarnessError says that the task failed, or did not do in time what was waited for.
type HarnessError struct {
	Text string
	// Stack is the user code's; "" where it did not fail.
	Stack string
}

func (e *HarnessError) Error() string {
	if e.Stack == "" {
		return e.Text
	}
	return e.Text + "\n" + e.Stack
}

// harness is what the harnesses of sources and sinks have in common: a task whose stream is in memory.
type harness struct {
	// Clock stands still until it is told to move.
	Clock *HarnessClock

	class  Class
	texts  map[string]string
	number uint32

	lock    sync.Mutex
	changed sync.Cond
	// The life that runs; what another says is not heard any more.
	stream     *memoryStream
	running    *task
	die        context.CancelFunc
	failure    *pb.Failure
	hasStarted bool
}

func (h *harness) set(class Class, texts map[string]string) error {
	h.Clock, h.class, h.texts = newHarnessClock(), class, maps.Clone(texts)
	h.changed.L = &h.lock
	return class.problem
}

// Task is the instance that runs, to look into: a pointer to your struct.
func (h *harness) Task() any { return h.running.instance }

// Crash: the process is gone. What was not committed is forgotten, no function is called any more.
func (h *harness) Crash() {
	h.lock.Lock()
	h.stream.isCut = true
	h.lock.Unlock()
	h.die()
	h.running.abandon("the harness crashed the task")
	select {
	case <-h.running.done:
	case <-time.After(harnessWait):
	}
}

// launch begins a life: heard is told, under the lock, what the task says.
func (h *harness) launch(offsets func([]Object) ([]Object, error), heard func(proto.Message)) error {
	ctx, die := context.WithCancel(context.Background())
	stream := &memoryStream{harness: h, heard: heard}
	h.lock.Lock()
	h.stream, h.die, h.failure, h.hasStarted = stream, die, nil, false
	h.lock.Unlock()
	request := &pb.StartTaskRequest{Task: h.number, ClassName: h.class.name, TaskConfig: h.texts,
		ConnectorConfig: h.texts, ErrantRecordReporter: true, OffsetFlushIntervalMs: 60_000}
	h.running = newTask(&taskHost{
		connector: "harness", request: request, maxMessageBytes: harnessMessageBytes, stream: stream, clock: h.Clock,
		ctx:     ctx,
		offsets: func(_ context.Context, partitions []Object) ([]Object, error) { return offsets(partitions) },
		log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, &h.class)
	h.running.run()
	return h.await("start", func() bool { return h.hasStarted })
}

// end stops the task as a host does.
func (h *harness) end(stop proto.Message) error {
	h.stream.tell(stop)
	select {
	case <-h.running.done:
	case <-time.After(harnessWait):
		return &HarnessError{Text: fmt.Sprintf("the task did not stop within %v", harnessWait)}
	}
	h.die()
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.takeFailure()
}

func (h *harness) isOver() bool {
	select {
	case <-h.running.done:
		return true
	default:
		return false
	}
}

// await waits for it, or gives what went wrong instead.
func (h *harness) await(what string, done func() bool) error {
	isLate := false
	timer := time.AfterFunc(harnessWait, func() {
		h.lock.Lock()
		defer h.lock.Unlock()
		isLate = true
		h.changed.Broadcast()
	})
	defer timer.Stop()
	h.lock.Lock()
	defer h.lock.Unlock()
	for !done() {
		if err := h.takeFailure(); err != nil {
			return err
		}
		if isLate {
			return &HarnessError{Text: fmt.Sprintf("the task did not %s within %v", what, harnessWait)}
		}
		h.changed.Wait()
	}
	return nil
}

func (h *harness) takeFailure() error {
	if h.failure == nil {
		return nil
	}
	failure := h.failure
	h.failure = nil
	return harnessError(failure)
}

func harnessError(failure *pb.Failure) error {
	return &HarnessError{Text: failure.Text, Stack: failure.Stack}
}

// memoryStream is a task's stream, with the harness at its other end.
type memoryStream struct {
	harness   *harness
	heard     func(proto.Message)
	onMessage func(proto.Message)
	isCut     bool
}

func (s *memoryStream) open(_ proto.Message, _ func() proto.Message, onMessage func(proto.Message), _ func(string)) error {
	s.onMessage = onMessage
	return nil
}

func (s *memoryStream) waitOpened() bool { return true }
func (s *memoryStream) backlog() int     { return 0 }
func (s *memoryStream) finish()          {}
func (s *memoryStream) cancel()          {}

// write is called by the task, which may hold locks of its own: nothing is answered from here.
func (s *memoryStream) write(message proto.Message) {
	s.harness.lock.Lock()
	defer s.harness.lock.Unlock()
	if !s.isCut {
		s.heard(message)
		s.harness.changed.Broadcast()
	}
}

func (s *memoryStream) tell(message proto.Message) {
	s.harness.lock.Lock()
	isCut := s.isCut
	s.harness.lock.Unlock()
	if !isCut {
		s.onMessage(message)
	}
}
