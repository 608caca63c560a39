package bulkhead

import "time"

// StageRecord is a record on its way between connector and Kafka, as a transform or predicate sees it.
// What a transform does not set goes on as it came, undecoded.
type StageRecord struct {
	row *SinkRecord
	// Topic may be set, and so may Partition (nil = the host chooses) and Timestamp (the zero time = none).
	Topic     string
	Partition *int32
	Timestamp time.Time

	key, value changedData
	headers    []Header
	hasHeaders bool
}

// changedData is what a transform has said of a key or value.
type changedData struct {
	value     any
	schema    *Schema
	hasValue  bool
	hasSchema bool
}

func newStageRecord(row *SinkRecord) *StageRecord {
	made := &StageRecord{row: row, Topic: row.Topic, Timestamp: row.Timestamp}
	if row.Partition >= 0 {
		partition := row.Partition
		made.Partition = &partition
	}
	return made
}

// IsSink: from Kafka on its way to a sink; else from a source on its way to Kafka.
func (r *StageRecord) IsSink() bool { return !r.row.batch.isOfSource }

// Offset is Kafka's; -1 for a source's record.
func (r *StageRecord) Offset() int64 {
	if !r.IsSink() {
		return -1
	}
	return r.row.Offset
}

// TimestampType is "create" (the sender's), "append" (the broker's) or "none".
func (r *StageRecord) TimestampType() string { return r.row.TimestampType() }

// Original is where a sink's record was read, before any transform.
func (r *StageRecord) Original() TopicPartition {
	said := r.row.original()
	return TopicPartition{Topic: said.Topic, Partition: int32(said.Partition)}
}

// Key gives []byte, string, JSON data, or data by its schema; nil = null.
func (r *StageRecord) Key() (any, error) { return r.key.read(r.row.Key) }

// Value gives the same for the value.
func (r *StageRecord) Value() (any, error) { return r.value.read(r.row.Value) }

// KeySchema is nil where there is none.
func (r *StageRecord) KeySchema() *Schema { return r.key.schemaOr(r.row.KeySchema()) }

// ValueSchema is nil where there is none.
func (r *StageRecord) ValueSchema() *Schema { return r.value.schemaOr(r.row.ValueSchema()) }

// SetKey keeps the key's schema: set that too where it does not fit.
func (r *StageRecord) SetKey(key any) { r.key.value, r.key.hasValue = key, true }

// SetKeySchema: nil = none.
func (r *StageRecord) SetKeySchema(schema *Schema) { r.key.schema, r.key.hasSchema = schema, true }

// SetValue keeps the value's schema: set that too where it does not fit.
func (r *StageRecord) SetValue(value any) { r.value.value, r.value.hasValue = value, true }

// SetValueSchema: nil = none.
func (r *StageRecord) SetValueSchema(schema *Schema) {
	r.value.schema, r.value.hasSchema = schema, true
}

// Headers are decoded.
func (r *StageRecord) Headers() ([]Header, error) {
	if r.hasHeaders {
		return r.headers, nil
	}
	return r.row.Headers()
}

// SetHeaders replaces all of them.
func (r *StageRecord) SetHeaders(headers ...Header) { r.headers, r.hasHeaders = headers, true }

func (c *changedData) read(came func() (any, error)) (any, error) {
	if c.hasValue {
		return c.value, nil
	}
	return came()
}

func (c *changedData) schemaOr(came *Schema) *Schema {
	if c.hasSchema {
		return c.schema
	}
	return came
}

// outgoing is what the packer is given: unchanged parts as the bytes they came in.
func (r *StageRecord) outgoing() (*Record, error) {
	made := &Record{Topic: r.Topic, Partition: r.Partition, Timestamp: r.Timestamp}
	row, columns := r.row, r.row.batch.columns
	var err error
	made.Key, made.KeySchema, err = r.key.outgoing(row.Key, r.KeySchema(),
		sameValue{row.KeyBytes(), row.batch.form(columns.KeyForms, row.index)})
	if err != nil {
		return nil, err
	}
	made.Value, made.ValueSchema, err = r.value.outgoing(row.Value, r.ValueSchema(),
		sameValue{row.ValueBytes(), row.batch.form(columns.ValueForms, row.index)})
	if err != nil {
		return nil, err
	}
	made.Headers = r.headers
	if !r.hasHeaders {
		made.Headers = row.sameHeaders()
	}
	return made, nil
}

func (c *changedData) outgoing(came func() (any, error), schema *Schema, same sameValue) (any, *Schema, error) {
	if !c.hasValue && !c.hasSchema {
		return same, nil, nil
	}
	value, err := c.read(came)
	return value, schema, err
}

// sameHeaders are a row's headers as the bytes they came in.
func (r *SinkRecord) sameHeaders() []Header {
	columns := r.batch.columns
	if len(columns.HeaderCounts) == 0 {
		return nil
	}
	start := r.valueStart() + lengthOf(at(columns.ValueSizes, r.index))
	first := r.batch.headerStarts[r.index]
	headers := make([]Header, columns.HeaderCounts[r.index])
	for n := range headers {
		size := at(columns.HeaderSizes, first+n)
		same := sameValue{r.batch.bytes(start, size), r.batch.form(columns.HeaderForms, first+n)}
		headers[n] = Header{Name: r.batch.definitions.names[columns.HeaderNames[first+n]], Value: same}
		start += lengthOf(size)
	}
	return headers
}
