package bulkhead

import (
	"fmt"
	"time"
	"unicode/utf8"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// SinkRecord is one record of a batch. Its key, value and headers are decoded when they are asked for.
type SinkRecord struct {
	batch     *putBatch
	index     int
	Topic     string
	Partition int32
	Offset    int64
	// The zero time = none.
	Timestamp time.Time
	keyStart  int
}

// TopicPartition names the record's partition.
func (r *SinkRecord) TopicPartition() TopicPartition { return TopicPartition{r.Topic, r.Partition} }

// Key gives []byte, string, JSON data, or data by its schema; nil = null.
func (r *SinkRecord) Key() (any, error) {
	return r.batch.read(r.keyStart, at(r.batch.columns.KeySizes, r.index), r.keyForm())
}

// Value gives the same for the value.
func (r *SinkRecord) Value() (any, error) {
	return r.batch.read(r.valueStart(), at(r.batch.columns.ValueSizes, r.index), r.valueForm())
}

// KeyBytes are the key's bytes as they came, valid until the task ends; nil = null.
func (r *SinkRecord) KeyBytes() []byte {
	return r.batch.bytes(r.keyStart, at(r.batch.columns.KeySizes, r.index))
}

// ValueBytes are the value's.
func (r *SinkRecord) ValueBytes() []byte {
	return r.batch.bytes(r.valueStart(), at(r.batch.columns.ValueSizes, r.index))
}

// KeySchema is nil where there is none.
func (r *SinkRecord) KeySchema() *Schema { return r.keyForm().schema }

// ValueSchema is nil where there is none.
func (r *SinkRecord) ValueSchema() *Schema { return r.valueForm().schema }

// TimestampType is "create" (the sender's), "append" (the broker's) or "none".
func (r *SinkRecord) TimestampType() string {
	types := r.batch.columns.TimestampTypes
	if len(types) == 0 {
		return "create"
	}
	return [...]string{"none", "create", "append"}[min(at(types, r.index), 2)]
}

// Headers are decoded.
func (r *SinkRecord) Headers() ([]Header, error) {
	columns := r.batch.columns
	if len(columns.HeaderCounts) == 0 {
		return nil, nil
	}
	start := r.valueStart() + lengthOf(at(columns.ValueSizes, r.index))
	first := r.batch.headerStarts[r.index]
	headers := make([]Header, columns.HeaderCounts[r.index])
	for n := range headers {
		size, form := at(columns.HeaderSizes, first+n), r.batch.form(columns.HeaderForms, first+n)
		value, err := r.batch.read(start, size, form)
		if err != nil {
			return nil, err
		}
		headers[n] = Header{r.batch.definitions.names[columns.HeaderNames[first+n]], value, form.schema}
		start += lengthOf(size)
	}
	return headers, nil
}

func (r *SinkRecord) keyForm() inForm   { return r.batch.form(r.batch.columns.KeyForms, r.index) }
func (r *SinkRecord) valueForm() inForm { return r.batch.form(r.batch.columns.ValueForms, r.index) }

func (r *SinkRecord) valueStart() int {
	return r.keyStart + lengthOf(at(r.batch.columns.KeySizes, r.index))
}

// original is the record's place in Kafka before any transform.
func (r *SinkRecord) original() *pb.PartitionOffset {
	columns := r.batch.columns
	said := &pb.PartitionOffset{Topic: r.Topic, Partition: uint32(r.Partition), Offset: &r.Offset}
	if len(columns.OriginalTopics) > 0 {
		said.Topic = r.batch.definitions.topics[at(columns.OriginalTopics, r.index)]
	}
	if len(columns.OriginalPartitions) > 0 {
		said.Partition = at(columns.OriginalPartitions, r.index) - 1
	}
	return said
}

// putBatch is a Put's columns, checked and laid out; records look into it.
type putBatch struct {
	seq, epoch   uint64
	columns      *pb.Columns
	definitions  inDefinitions
	headerStarts []int
	records      []SinkRecord
	isOfSource   bool
}

type breachError string

func (e breachError) Error() string { return string(e) }

// breach is what the reader panics with where a message breaks the contract.
func breach(format string, args ...any) breachError { return breachError(fmt.Sprintf(format, args...)) }

func newPutBatch(definitions *inDefinitions, put *pb.Put) *putBatch {
	return newBatch(definitions, put, false)
}

// newStageRows is the same for a stage, whose records may be a source's: those have no offsets.
func newStageRows(definitions *inDefinitions, put *pb.Put) *putBatch {
	return newBatch(definitions, put, len(put.Columns.GetOffsets()) == 0)
}

func newBatch(definitions *inDefinitions, put *pb.Put, isOfSource bool) *putBatch {
	columns := put.Columns
	if columns == nil {
		columns = &pb.Columns{}
	}
	if columns.Arena == nil {
		// A slice of nil is nil: an empty value would be taken for null.
		columns.Arena = []byte{}
	}
	made := &putBatch{seq: put.PutSeq, epoch: put.Epoch, columns: columns, definitions: *definitions, isOfSource: isOfSource}
	made.check()
	made.layOut()
	return made
}

// cost is what the batch cost in bytes of credit.
func (b *putBatch) cost() int64 {
	return int64(len(b.columns.Arena) + rowBytes*(int(b.columns.Count)+len(b.columns.HeaderNames)) + fixedBytes)
}

func (b *putBatch) check() {
	columns := b.columns
	count, headers := int(columns.Count), len(columns.HeaderNames)
	if count > recordsMax {
		panic(breach("a batch of %d records", count))
	}
	length := func(name string, length int, allowed ...int) {
		for _, one := range allowed {
			if length == one {
				return
			}
		}
		panic(breach("column %s has %d entries in a batch of %d", name, length, count))
	}
	one := min(1, count)
	length("key_sizes", len(columns.KeySizes), 0, count)
	length("value_sizes", len(columns.ValueSizes), 0, count)
	length("key_forms", len(columns.KeyForms), 0, one, count)
	length("value_forms", len(columns.ValueForms), 0, one, count)
	length("topics", len(columns.Topics), one, count)
	length("partitions", len(columns.Partitions), 0, one, count)
	length("timestamps", len(columns.Timestamps), 0, one, count)
	length("header_counts", len(columns.HeaderCounts), 0, count)
	length("header_sizes", len(columns.HeaderSizes), 0, headers)
	length("header_forms", len(columns.HeaderForms), 0, min(1, headers), headers)
	if !b.isOfSource {
		length("offsets", len(columns.Offsets), count)
	}
	length("timestamp_types", len(columns.TimestampTypes), 0, one, count)
	length("original_topics", len(columns.OriginalTopics), 0, one, count)
	length("original_partitions", len(columns.OriginalPartitions), 0, one, count)
	b.known("topic", columns.Topics, len(b.definitions.topics))
	b.known("topic", columns.OriginalTopics, len(b.definitions.topics))
	b.known("name", columns.HeaderNames, len(b.definitions.names))
	for _, forms := range [][]uint32{columns.KeyForms, columns.ValueForms, columns.HeaderForms} {
		for _, id := range forms {
			if int(id) >= len(b.definitions.forms) || b.definitions.forms[id].encoding == 0 {
				panic(breach("no form has id %d", id))
			}
		}
	}
}

func (b *putBatch) known(what string, ids []uint32, count int) {
	for _, id := range ids {
		if id == 0 || int(id) >= count {
			panic(breach("no %s has id %d", what, id))
		}
	}
}

// layOut finds where each record's bytes begin.
func (b *putBatch) layOut() {
	columns := b.columns
	b.records = make([]SinkRecord, columns.Count)
	if len(columns.HeaderCounts) > 0 {
		b.headerStarts = make([]int, columns.Count)
	} else if len(columns.HeaderNames) > 0 {
		panic(breach("a batch has header names without header counts"))
	}
	start, header, offset, timestamp := 0, 0, int64(0), int64(-1)
	for index := range b.records {
		record := &b.records[index]
		record.batch, record.index, record.keyStart = b, index, start
		record.Topic = b.definitions.topics[at(columns.Topics, index)]
		record.Partition = int32(at(columns.Partitions, index)) - 1
		if !b.isOfSource {
			offset += columns.Offsets[index]
		}
		record.Offset = offset
		timestamp = nextTimestamp(columns.Timestamps, index, timestamp)
		if timestamp != -1 {
			record.Timestamp = time.UnixMilli(timestamp)
		}
		start += lengthOf(at(columns.KeySizes, index)) + lengthOf(at(columns.ValueSizes, index))
		if b.headerStarts != nil {
			b.headerStarts[index] = header
			for range columns.HeaderCounts[index] {
				if header >= len(columns.HeaderNames) {
					panic(breach("the header counts of a batch do not add up to its names"))
				}
				start += lengthOf(at(columns.HeaderSizes, header))
				header++
			}
		}
		if start > len(columns.Arena) {
			panic(breach("the sizes of a batch do not add up to its arena"))
		}
	}
	if start != len(columns.Arena) || header != len(columns.HeaderNames) {
		panic(breach("the sizes of a batch do not add up to its arena"))
	}
}

func nextTimestamp(deltas []int64, index int, before int64) int64 {
	switch {
	case len(deltas) == 0:
		return -1
	case index == 0:
		return deltas[0]
	case len(deltas) == 1:
		return before
	}
	return before + deltas[index]
}

func (b *putBatch) form(forms []uint32, index int) inForm {
	return b.definitions.forms[at(forms, index)]
}

func (b *putBatch) bytes(start int, size uint32) []byte {
	if size == 0 {
		return nil
	}
	end := start + int(size) - 1
	return b.columns.Arena[start:end:end]
}

func (b *putBatch) read(start int, size uint32, form inForm) (any, error) {
	part := b.bytes(start, size)
	switch {
	case part == nil:
		return nil, nil
	case form.encoding == encodeBytes:
		return part, nil
	case form.encoding == encodeText:
		if !utf8.Valid(part) {
			return nil, DataError("a text is not UTF-8")
		}
		return string(part), nil
	}
	tree, err := parseTree(part)
	if err != nil {
		return nil, err
	}
	return readTyped(tree, form.schema, "value")
}

// at: a column of one entry holds for every row; an empty one is all 0.
func at(column []uint32, index int) uint32 {
	switch len(column) {
	case 0:
		return 0
	case 1:
		return column[0]
	}
	return column[index]
}

// lengthOf an entry of a column of sizes.
func lengthOf(size uint32) int {
	if size == 0 {
		return 0
	}
	return int(size) - 1
}
