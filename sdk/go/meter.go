package bulkhead

import (
	"sync"
	"sync/atomic"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// taskMeter is what a task is doing and since when, for the heartbeat.
type taskMeter struct {
	connector string
	task      uint32

	recordsIn, recordsOut atomic.Uint64

	lock       sync.Mutex
	activity   pb.TaskActivity
	since      time.Time
	progressed time.Time
	transient  *pb.Failure
}

func newTaskMeter(connector string, task uint32) *taskMeter {
	now := time.Now()
	return &taskMeter{connector: connector, task: task, since: now, progressed: now,
		activity: pb.TaskActivity_TASK_ACTIVITY_STARTING}
}

func (m *taskMeter) now(activity pb.TaskActivity) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.set(activity)
}

func (m *taskMeter) set(activity pb.TaskActivity) {
	if m.activity != activity {
		m.activity, m.since = activity, time.Now()
	}
}

// rest: nothing to do now; while a failure is not overcome that is a pause before the next attempt.
func (m *taskMeter) rest() {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.transient == nil {
		m.set(pb.TaskActivity_TASK_ACTIVITY_IDLE)
	} else {
		m.set(pb.TaskActivity_TASK_ACTIVITY_BACKING_OFF)
	}
}

func (m *taskMeter) progress(at time.Time) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.progressed, m.transient = at, nil
}

// overcame: what failed before went well, be it without records.
func (m *taskMeter) overcame() {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.transient = nil
}

func (m *taskMeter) backingOff(failure *pb.Failure) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.transient = failure
	m.set(pb.TaskActivity_TASK_ACTIVITY_BACKING_OFF)
}

func (m *taskMeter) heartbeat() *pb.TaskHeartbeat {
	m.lock.Lock()
	defer m.lock.Unlock()
	return &pb.TaskHeartbeat{
		Connector: m.connector, Task: m.task, Activity: m.activity,
		ActivityForMs:        uint64(time.Since(m.since).Milliseconds()),
		LastTransientFailure: m.transient,
		RecordsIn:            m.recordsIn.Load(), RecordsOut: m.recordsOut.Load(),
		SinceProgressMs: uint64(time.Since(m.progressed).Milliseconds()),
	}
}
