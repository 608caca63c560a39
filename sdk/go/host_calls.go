package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	callsOpenMax      = 64
	partitionsPerCall = 1_000
	callTimeMax       = 60 * time.Second
)

// hostCalls are questions to the host: at most 64 are open at a time, the others wait. Each ends, by
// answer, time limit or session end.
type hostCalls struct {
	send func(*pb.Call)
	room chan struct{}

	lock sync.Mutex
	// Also those that have timed out: the host still counts them until it has answered.
	open   map[uint64]*question
	lastID uint64
	over   error
}

type question struct {
	offsets []*pb.OffsetText
	failure *pb.Failure
	done    chan error
}

func newHostCalls(send func(*pb.Call)) *hostCalls {
	return &hostCalls{send: send, room: make(chan struct{}, callsOpenMax), open: map[uint64]*question{}}
}

// offsets gives the committed offset texts' data in the order asked; task nil = of the connector.
func (c *hostCalls) offsets(ctx context.Context, connector string, task *uint32, partitions []Object) ([]Object, error) {
	found := make([]Object, 0, len(partitions))
	for start := 0; start < len(partitions); start += partitionsPerCall {
		part := partitions[start:min(start+partitionsPerCall, len(partitions))]
		texts := make([]string, len(part))
		for at, one := range part {
			text, err := jsonText(one)
			if err != nil {
				return nil, fmt.Errorf("cannot ask for the offset of a source partition: %w", err)
			}
			texts[at] = text
		}
		answered, err := c.readOffsets(ctx, connector, task, texts)
		if err != nil {
			return nil, fmt.Errorf("cannot read the offsets of %s: %w", connector, err)
		}
		for _, one := range answered {
			offset, err := parseObject(one.Offset)
			if err != nil {
				return nil, fmt.Errorf("cannot read a stored offset of %s: %w", connector, err)
			}
			found = append(found, offset)
		}
	}
	return found, nil
}

func parseObject(text *string) (Object, error) {
	if text == nil {
		return nil, nil
	}
	value, err := parseJSON([]byte(*text))
	if err != nil {
		return nil, err
	}
	object, _ := value.(map[string]any)
	return object, nil
}

func (c *hostCalls) readOffsets(ctx context.Context, connector string, task *uint32, texts []string) ([]*pb.OffsetText, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeMax)
	defer cancel()
	select {
	case c.room <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	asked := &question{done: make(chan error, 1)}
	c.lock.Lock()
	if c.over != nil {
		c.lock.Unlock()
		<-c.room
		return nil, c.over
	}
	c.lastID++
	id := c.lastID
	c.open[id] = asked
	c.lock.Unlock()
	c.send(&pb.Call{Id: id, TimeoutMs: uint64(callTimeMax.Milliseconds()), Connector: connector,
		Kind: &pb.Call_ReadOffsets{ReadOffsets: &pb.ReadOffsetsCall{Task: task, Partitions: texts}}})
	select {
	case err := <-asked.done:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("the host has not answered in %v", callTimeMax)
		}
		return nil, context.Cause(ctx)
	}
	// An offset goes with its partition by place only, so one too few would shift the others.
	if len(asked.offsets) != len(texts) {
		return nil, fmt.Errorf("the host answered with %d offsets for %d partitions", len(asked.offsets), len(texts))
	}
	return asked.offsets, nil
}

func (c *hostCalls) answer(answer *pb.Answer) {
	c.lock.Lock()
	defer c.lock.Unlock()
	asked := c.open[answer.Id]
	if asked == nil {
		return
	}
	var err error
	switch kind := answer.Kind.(type) {
	case *pb.Answer_ReadOffsets:
		asked.offsets = append(asked.offsets, kind.ReadOffsets.Offsets...)
	case *pb.Answer_Failure:
		err = errors.New(kind.Failure.Text)
	default:
		err = errors.New("no offsets in the answer")
	}
	if err == nil && answer.More {
		return
	}
	delete(c.open, answer.Id)
	<-c.room
	asked.done <- err
}

// close: the session is over, nothing will be answered any more.
func (c *hostCalls) close(reason string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.over = errors.New(reason)
	for id, asked := range c.open {
		delete(c.open, id)
		<-c.room
		asked.done <- c.over
	}
}
