package bulkhead

import (
	"context"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// SinkTask is what the struct of a sink embeds: its config, and what it may ask for.
type SinkTask[C any] struct {
	taskBase
	// Config is read before Start.
	Config C
}

func (t *SinkTask[C]) base() *taskBase { return &t.taskBase }
func (t *SinkTask[C]) config() any     { return &t.Config }
func (t *SinkTask[C]) isSink()         {}

// sinkHost is what a sink may ask of its stream.
type sinkHost interface {
	rewind(offsets []TopicOffset)
	pause(partitions []TopicPartition)
	resume(partitions []TopicPartition)
	requestCommit()
	report(ctx context.Context, record *SinkRecord, err error) error
	timeout(pause time.Duration)
}

// Rewind has these partitions delivered again from here. What is on its way is dropped.
func (t *SinkTask[C]) Rewind(offsets ...TopicOffset) { t.sink.rewind(offsets) }

// Pause delivers nothing from these partitions until Resume.
func (t *SinkTask[C]) Pause(partitions ...TopicPartition) { t.sink.pause(partitions) }

// Resume ends Pause.
func (t *SinkTask[C]) Resume(partitions ...TopicPartition) { t.sink.resume(partitions) }

// RequestCommit asks for Flush soon.
func (t *SinkTask[C]) RequestCommit() { t.sink.requestCommit() }

// Report gives a record up as bad: the connector's error policy decides what becomes of it. It returns
// when that is durable; with an error when the policy is to fail.
func (t *SinkTask[C]) Report(ctx context.Context, record *SinkRecord, err error) error {
	return t.sink.report(ctx, record, err)
}

// Timeout asks for Put, perhaps with nothing, once so much time has passed.
func (t *SinkTask[C]) Timeout(pause time.Duration) { t.sink.timeout(pause) }

// Putter is every sink. Put stores a batch or takes it over until Flush. It is called with no records
// now and then, so that a sink may act by time. The records are valid until the task ends. Return a
// Retriable error to get the same records again, RecordErrors where only some are bad.
type Putter interface {
	Put(ctx context.Context, records []SinkRecord) error
}

// Opener is told of partitions that are now this task's, in addition.
type Opener interface {
	Open(ctx context.Context, partitions []TopicOffset) error
}

// Flusher makes everything before these offsets durable: they are committed when it returns. To commit
// less it returns lower offsets, or leaves partitions out. Without it, what Put has returned from is durable.
type Flusher interface {
	Flush(ctx context.Context, offsets []TopicOffset) ([]TopicOffset, error)
}

// Closer is told of partitions that are this task's no more.
type Closer interface {
	Close(ctx context.Context, partitions []TopicPartition) error
}

// Sink declares a sink class: T embeds SinkTask and has Put.
func Sink[T any, P interface {
	*T
	taskInstance
	Putter
	isSink()
}](name string, options ...Option) Class {
	return newClass(name, pb.PluginKind_PLUGIN_KIND_SINK, func() taskInstance { return P(new(T)) }, options)
}
