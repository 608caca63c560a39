package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// A host that is gone takes the session with the stream, though the stream's end may be seen first.
const sessionEndTimeMax = 100 * time.Millisecond

// taskHost is what a task needs of the session.
type taskHost struct {
	connector       string
	request         *pb.StartTaskRequest
	maxMessageBytes int
	stream          wire
	clock           clock
	// Done when the session has ended.
	ctx     context.Context
	offsets func(ctx context.Context, partitions []Object) ([]Object, error)
	log     *slog.Logger
}

// taskKind is what source and sink tasks do in their own way.
type taskKind interface {
	hello() proto.Message
	empty() proto.Message
	onMessage(proto.Message)
	// Everything up to the stop. What it returns fails the task.
	work() error
	failed(error)
	// Serves what still comes, until the stop.
	after()
	onStop()
	stopped(*pb.Failure) proto.Message
}

// task is one task: a goroutine for the user's functions, beside the one that reads its stream.
type task struct {
	host     *taskHost
	class    *Class
	instance taskInstance
	meter    *taskMeter
	kind     taskKind

	// Done when the task shall end: user code sees it.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// Closed when the stream is open, or will not be: see refused.
	opened  chan struct{}
	refused error
	done    chan struct{}

	lock      sync.Mutex
	isCutOff  bool
	reason    string
	abandoned chan struct{}
	isOver    bool
	started   bool
	stopTime  time.Duration
	onceStop  sync.Once
	stopAsked chan struct{}
}

var errStopping = errors.New("the task is stopping")

func newTask(host *taskHost, class *Class) *task {
	made := &task{
		host: host, class: class, instance: class.newTask(),
		meter:  newTaskMeter(host.connector, host.request.Task),
		opened: make(chan struct{}), done: make(chan struct{}),
		abandoned: make(chan struct{}), stopAsked: make(chan struct{}),
	}
	made.ctx, made.cancel = context.WithCancelCause(host.ctx)
	base := made.instance.base()
	base.Connector, base.Task, base.clock, base.Log = host.connector, int(host.request.Task), host.clock, host.log
	if class.kind == pb.PluginKind_PLUGIN_KIND_SINK {
		made.kind = newSinkTask(made)
	} else {
		made.kind = newSourceTask(made)
	}
	return made
}

func (t *task) run() { go t.main() }

func (t *task) main() {
	finished := false
	isOpened := false
	defer func() {
		if !finished {
			// runtime.Goexit in user code: nothing else leaves like this.
			t.kind.failed(errGoexit)
			t.host.stream.finish()
		}
		if !isOpened {
			close(t.opened)
		}
		t.cancel(errStopping)
		close(t.done)
	}()
	stream := t.host.stream
	err := stream.open(t.kind.hello(), t.kind.empty, t.read, t.cutOff)
	if err == nil && !stream.waitOpened() {
		t.lock.Lock()
		err = fmt.Errorf("the host refused the task's stream: %s", t.reason)
		t.lock.Unlock()
	}
	if err != nil {
		t.refused, finished = err, true
		return
	}
	isOpened = true
	close(t.opened)
	if err := t.kind.work(); err != nil {
		t.kind.failed(err)
	}
	t.kind.after()
	t.stop()
	finished = true
}

// read is called for each message: a message that breaks the contract ends this task only.
func (t *task) read(message proto.Message) {
	defer func() {
		if value := recover(); value != nil {
			t.kind.failed(fmt.Errorf("a message of the host broke the contract: %s", printed(value)))
		}
	}()
	t.kind.onMessage(message)
}

// startUser reads the config and runs the user's Start; false = the task is stopped already.
func (t *task) startUser() (bool, error) {
	base := t.instance.base()
	base.Texts = map[string]string{}
	maps.Copy(base.Texts, t.host.request.ConnectorConfig)
	maps.Copy(base.Texts, t.host.request.TaskConfig)
	if err := fillConfig(t.instance.config(), t.class.keys, base.Texts); err != nil {
		return false, err
	}
	if t.stopping() {
		return false, nil
	}
	if starter, ok := t.instance.(Starter); ok {
		if err := callUser(t.instance, "Start", func() error { return starter.Start(t.ctx) }); err != nil {
			return false, err
		}
	}
	// Only what was started is stopped.
	t.started = true
	return !t.stopping(), nil
}

func (t *task) stopping() bool { return t.ctx.Err() != nil }

// askStop is what Stop does, and an end of the stream.
func (t *task) askStop(timeout time.Duration) {
	t.onceStop.Do(func() {
		t.stopTime = timeout
		t.cancel(errStopping)
		t.kind.onStop()
		close(t.stopAsked)
	})
}

// cutOff: the stream is gone.
func (t *task) cutOff(reason string) {
	t.lock.Lock()
	if t.isCutOff {
		t.lock.Unlock()
		return
	}
	t.isCutOff, t.reason = true, reason
	t.lock.Unlock()
	t.askStop(0)
	t.host.stream.cancel()
}

// abandon: the session has ended, no further user call.
func (t *task) abandon(reason string) {
	t.lock.Lock()
	if !t.isOver {
		t.isOver = true
		close(t.abandoned)
	}
	t.lock.Unlock()
	t.cutOff(reason)
}

func (t *task) isAbandoned() bool {
	select {
	case <-t.abandoned:
		return true
	default:
		return false
	}
}

func (t *task) wasCutOff() bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.isCutOff
}

// finalContext is for what runs to its end though the task stops.
func (t *task) finalContext() context.Context { return t.host.ctx }

func (t *task) stop() {
	var failure *pb.Failure
	if t.wasCutOff() {
		select {
		case <-t.abandoned:
		case <-time.After(sessionEndTimeMax):
		}
	}
	if stopper, ok := t.instance.(Stopper); ok && t.started && !t.isAbandoned() {
		ctx, cancel := t.finalContext(), context.CancelFunc(func() {})
		if t.stopTime > 0 {
			ctx, cancel = context.WithTimeout(ctx, t.stopTime)
		}
		err := callUser(t.instance, "Stop", func() error { return stopper.Stop(ctx) })
		cancel()
		if err != nil {
			failure = toFailure(err)
			if t.wasCutOff() {
				t.host.log.Error("stopping failed: "+textOf(err), "error", err)
			}
		}
	}
	t.host.stream.write(t.kind.stopped(failure))
	t.host.stream.finish()
}
