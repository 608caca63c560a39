package bulkhead

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// memoryWire is a stage's stream in memory: what it says, and a way to say something to it.
type memoryWire struct {
	lock      sync.Mutex
	changed   sync.Cond
	said      []*pb.StageMessage
	finished  bool
	onMessage func(proto.Message)
	onEnd     func(string)
}

func (w *memoryWire) open(hello proto.Message, _ func() proto.Message, onMessage func(proto.Message), onEnd func(string)) error {
	w.onMessage, w.onEnd = onMessage, onEnd
	w.write(hello)
	return nil
}

func (w *memoryWire) waitOpened() bool { return true }
func (w *memoryWire) backlog() int     { return 0 }
func (w *memoryWire) cancel()          { w.finish() }

func (w *memoryWire) write(message proto.Message) {
	w.lock.Lock()
	defer w.lock.Unlock()
	// As on the wire, nobody may change it afterwards.
	w.said = append(w.said, proto.Clone(message).(*pb.StageMessage))
	w.changed.Broadcast()
}

func (w *memoryWire) finish() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.finished = true
	w.changed.Broadcast()
}

// next waits for the next message that wanted takes.
func next[T any](t *testing.T, w *memoryWire, wanted func(*pb.StageMessage) (T, bool)) T {
	t.Helper()
	deadline := time.AfterFunc(20*time.Second, func() {
		w.lock.Lock()
		defer w.lock.Unlock()
		w.said = append(w.said, nil)
		w.changed.Broadcast()
	})
	defer deadline.Stop()
	w.lock.Lock()
	defer w.lock.Unlock()
	for {
		for at, one := range w.said {
			if one == nil {
				t.Fatal("it did not come within 20 s")
			}
			if found, ok := wanted(one); ok {
				w.said = append(w.said[:at:at], w.said[at+1:]...)
				return found
			}
		}
		w.changed.Wait()
	}
}
