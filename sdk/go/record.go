package bulkhead

import (
	"encoding/json"
	"time"
)

// Object is JSON data with named members: a source partition, an offset, a value.
type Object map[string]any

// Int gives a member that is a whole number; 0 where there is none.
func (o Object) Int(name string) int64 {
	switch value := o[name].(type) {
	case int64:
		return value
	case int:
		return int64(value)
	case float64:
		return int64(value)
	case json.Number:
		number, _ := value.Int64()
		return number
	}
	return 0
}

// String gives a member that is a text; "" where there is none.
func (o Object) String(name string) string {
	text, _ := o[name].(string)
	return text
}

// Record is one record of a source.
type Record struct {
	Topic string
	// []byte stays bytes, a string stays text, nil is a tombstone, json.RawMessage goes as it is, and
	// anything else is JSON data. With a schema it is typed data.
	Key, Value any
	// nil = no schema. Make a schema once and use it for all records.
	KeySchema, ValueSchema *Schema
	Headers                []Header
	// The zero time = the time of sending.
	Timestamp time.Time
	// nil = the host chooses.
	Partition *int32
	// What was read, and how far: data of your own choice.
	SourcePartition, SourceOffset Object

	isCheckpoint bool
}

// Header of a record; order is kept, and names may repeat.
type Header struct {
	Name   string
	Value  any
	Schema *Schema
}

// Checkpoint is an offset without a record, to be given among the records: it is committed when
// everything before it is. A nil offset removes the entry.
func Checkpoint(partition, offset Object) Record {
	return Record{isCheckpoint: true, SourcePartition: partition, SourceOffset: offset}
}

// SourceOffset is how far a source partition is committed; a nil Offset = removed.
type SourceOffset struct {
	Partition, Offset Object
}

// TopicPartition is a partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// TopicOffset is the next offset to read of a partition; -1 = none committed.
type TopicOffset struct {
	TopicPartition
	Offset int64
}
