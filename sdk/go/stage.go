package bulkhead

import (
	"context"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// StageTask is what the struct of a transform, predicate or converter embeds: its config, and whose
// records come through. Connector, Task, Texts and Log are as a source's.
type StageTask[C any] struct {
	taskBase
	// Alias is its name in the connector's config; "" for a converter.
	Alias string
	// IsKey: a converter that is the key's.
	IsKey bool
	// Config is read before Start.
	Config C
}

func (t *StageTask[C]) base() *taskBase { return &t.taskBase }
func (t *StageTask[C]) config() any     { return &t.Config }
func (t *StageTask[C]) place(alias string, isKey bool) {
	t.Alias, t.IsKey = alias, isKey
}

type stageInstance interface {
	taskInstance
	place(alias string, isKey bool)
}

// Applier is every transform. Apply changes the record in place; false drops it. An error fails this
// record only, by the connector's error policy; a Retriable one has it tried again.
type Applier interface {
	Apply(ctx context.Context, record *StageRecord) (keep bool, err error)
}

// Tester is every predicate. An error fails the record.
type Tester interface {
	Test(ctx context.Context, record *StageRecord) (bool, error)
}

// DataConverter is every converter, and every converter of headers. An error fails the record.
type DataConverter interface {
	// FromConnect gives Kafka's bytes for data; nil = null.
	FromConnect(ctx context.Context, data *ConnectData) ([]byte, error)
	// ToConnect gives what Kafka's bytes say, and its schema; without one it is sent as a source's would be.
	ToConnect(ctx context.Context, data *KafkaData) (value any, schema *Schema, err error)
}

// ConnectData is a key, a value or a header on its way to Kafka.
type ConnectData struct {
	Topic string
	// Header is the header's name, for a converter of headers.
	Header string
	Value  any
	// nil = no schema.
	Schema *Schema
	// Headers stand beside the value, as Kafka has them. What a converter adds goes with the record.
	Headers []KafkaHeader
}

// KafkaData is a key, a value or a header from Kafka.
type KafkaData struct {
	Topic string
	// Header is the header's name, for a converter of headers.
	Header string
	// Value is nil for null; valid until the batch is done.
	Value []byte
	// Headers stand beside the value. What a converter changes goes with the record.
	Headers []KafkaHeader
}

// KafkaHeader is a header as it stands in Kafka; a nil Value = null.
type KafkaHeader struct {
	Name  string
	Value []byte
}

// Transform declares a transform: T embeds StageTask and has Apply.
func Transform[T any, P interface {
	*T
	stageInstance
	Applier
}](name string, options ...Option) Class {
	return newClass(name, pb.PluginKind_PLUGIN_KIND_TRANSFORMATION, func() taskInstance { return P(new(T)) }, options)
}

// Predicate declares a predicate: T embeds StageTask and has Test.
func Predicate[T any, P interface {
	*T
	stageInstance
	Tester
}](name string, options ...Option) Class {
	return newClass(name, pb.PluginKind_PLUGIN_KIND_PREDICATE, func() taskInstance { return P(new(T)) }, options)
}

// Converter declares a converter of keys and values: T embeds StageTask and has FromConnect and ToConnect.
func Converter[T any, P interface {
	*T
	stageInstance
	DataConverter
}](name string, options ...Option) Class {
	return newClass(name, pb.PluginKind_PLUGIN_KIND_CONVERTER, func() taskInstance { return P(new(T)) }, options)
}

// HeaderConverter declares a converter that is asked header by header.
func HeaderConverter[T any, P interface {
	*T
	stageInstance
	DataConverter
}](name string, options ...Option) Class {
	return newClass(name, pb.PluginKind_PLUGIN_KIND_HEADER_CONVERTER, func() taskInstance { return P(new(T)) }, options)
}
