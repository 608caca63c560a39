package bulkhead

import (
	"context"
	"iter"
	"log/slog"
	"reflect"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// SourceTask is what the struct of a source embeds: its config, and what it may ask for.
type SourceTask[C any] struct {
	taskBase
	// Config is read before Start.
	Config C
}

func (t *SourceTask[C]) base() *taskBase { return &t.taskBase }
func (t *SourceTask[C]) config() any     { return &t.Config }
func (t *SourceTask[C]) isSource()       {}

// taskBase is what tasks of both kinds have.
type taskBase struct {
	// Connector is the connector's name.
	Connector string
	// Task is its number, from 0.
	Task int
	// Texts is the whole config of the task as it was given.
	Texts map[string]string
	// Log writes to the host's log with the connector and task on every line.
	Log *slog.Logger

	clock clock
	ask   func(ctx context.Context, partitions []Object) ([]Object, error)
	sink  sinkHost
}

// Sleep waits, or returns early with ctx's error.
func (t *taskBase) Sleep(ctx context.Context, pause time.Duration) error {
	return t.clock.sleep(ctx, pause)
}

// Now is the time, as a test's clock has it.
func (t *taskBase) Now() time.Time { return t.clock.now() }

// Offset gives what was stored last for a source partition, or nil: go on behind it.
func (t *SourceTask[C]) Offset(ctx context.Context, partition Object) (Object, error) {
	found, err := t.Offsets(ctx, []Object{partition})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Offsets asks for many at once; the answers are in the order asked.
func (t *SourceTask[C]) Offsets(ctx context.Context, partitions []Object) ([]Object, error) {
	return t.ask(ctx, partitions)
}

// Reader is a source that gives records from an iterator, until ctx is done. What one yield gives is a
// poll: its records stay together. After a Retriable error Read is called again.
type Reader interface {
	Read(ctx context.Context) iter.Seq2[[]Record, error]
}

// Poller is a source that is asked again and again. It may wait for data until ctx is done; when it
// gives nothing it is asked again after 100 ms.
type Poller interface {
	Poll(ctx context.Context) ([]Record, error)
}

// Starter opens what the task needs, before anything else.
type Starter interface {
	Start(ctx context.Context) error
}

// Stopper closes what Start opened; it runs last, also after a failure.
type Stopper interface {
	Stop(ctx context.Context) error
}

// Acker is told which records are in Kafka, or were dropped by a transform or the error policy; in
// order, beside Read. An error is logged and no more.
type Acker interface {
	Acked(ctx context.Context, records []Record) error
}

// Committer is told which offsets are durable: what lies before them may be freed.
type Committer interface {
	Committed(ctx context.Context, offsets []SourceOffset) error
}

// Class is one connector class of a plugin, made by Source or Sink.
type Class struct {
	name     string
	kind     pb.PluginKind
	options  classOptions
	newTask  func() taskInstance
	keys     []configKey
	problem  error
	taskType reflect.Type
}

type taskInstance interface {
	base() *taskBase
	config() any
}

// Source declares a source class: T embeds SourceTask and has Read or Poll.
func Source[T any, P interface {
	*T
	taskInstance
	isSource()
}](name string, options ...Option) Class {
	class := newClass(name, pb.PluginKind_PLUGIN_KIND_SOURCE, func() taskInstance { return P(new(T)) }, options)
	switch any(P(new(T))).(type) {
	case Reader, Poller:
	default:
		class.problem = ConfigError("%T has neither a method Read nor Poll", new(T))
	}
	return class
}

func newClass(name string, kind pb.PluginKind, newTask func() taskInstance, options []Option) Class {
	class := Class{name: name, kind: kind, newTask: newTask}
	for _, option := range options {
		option(&class.options)
	}
	instance := newTask()
	class.taskType = reflect.TypeOf(instance)
	class.keys, class.problem = keysOf(reflect.TypeOf(instance.config()).Elem())
	if name == "" {
		class.problem = ConfigError("%v has no class name: the name that configs use", class.taskType)
	}
	return class
}

// Option says more of a class.
type Option func(*classOptions)

type classOptions struct {
	version       string
	documentation string
	doc           string
	aliases       []string
	taskClass     string
	lastOffsets   bool
	exactlyOnce   *bool
}

// WithVersion sets a version other than the plugin's.
func WithVersion(version string) Option {
	return func(o *classOptions) { o.version = version }
}

// WithDoc is a sentence for the page of `docs`.
func WithDoc(doc string) Option {
	return func(o *classOptions) { o.doc = doc }
}

// WithDocumentationURL says where to read more.
func WithDocumentationURL(url string) Option {
	return func(o *classOptions) { o.documentation = url }
}

// WithAliases adds names by which configs may refer to the class.
func WithAliases(aliases ...string) Option {
	return func(o *classOptions) { o.aliases = aliases }
}

// WithLastOffsets sends one offset for each source partition and batch instead of one for each
// record: less work, and a little more is read again after a crash.
func WithLastOffsets() Option {
	return func(o *classOptions) { o.lastOffsets = true }
}

// WithExactlyOnce says whether the offsets that come back are enough to read exactly what follows.
func WithExactlyOnce(supported bool) Option {
	return func(o *classOptions) { o.exactlyOnce = &supported }
}
