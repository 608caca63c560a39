package bulkhead

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// The batches and failures that all SDKs share, see sdk/vectors/README.md.

type vectorPiece struct {
	Schema *string `json:"schema"`
	Null   bool    `json:"null,omitempty"`
	Text   *string `json:"text,omitempty"`
	Hex    *string `json:"hex,omitempty"`
	JSON   *string `json:"json,omitempty"`
}

type vectorHeader struct {
	Name  string       `json:"name"`
	Value *vectorPiece `json:"value"`
}

type vectorRecord struct {
	Topic           string         `json:"topic"`
	Partition       *int32         `json:"partition"`
	Timestamp       *string        `json:"timestamp"`
	Key             *vectorPiece   `json:"key"`
	Value           *vectorPiece   `json:"value"`
	Headers         []vectorHeader `json:"headers"`
	SourcePartition string         `json:"source_partition,omitempty"`
	SourceOffset    *string        `json:"source_offset,omitempty"`

	Offset            string `json:"offset,omitempty"`
	TimestampType     string `json:"timestamp_type,omitempty"`
	OriginalTopic     string `json:"original_topic,omitempty"`
	OriginalPartition int32  `json:"original_partition,omitempty"`
}

type vectorBatch struct {
	Name        string             `json:"name"`
	OffsetMode  string             `json:"offset_mode"`
	Records     []vectorRecord     `json:"records"`
	CostBytes   int64              `json:"cost_bytes"`
	LastOffsets map[string]*string `json:"last_offsets"`
	Messages    []string           `json:"messages"`
}

type batchVectors struct{ Batches, Refused []vectorBatch }

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("../vectors/" + name)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// inHand is the piece as a user of this SDK has it.
func (p *vectorPiece) inHand() (any, *Schema) {
	if p == nil {
		return nil, nil
	}
	var schema *Schema
	if p.Schema != nil {
		schema = must(ParseSchema(*p.Schema))
	}
	switch {
	case p.Text != nil:
		return *p.Text, schema
	case p.Hex != nil:
		return must(hex.DecodeString(*p.Hex)), schema
	case p.JSON != nil && schema == nil:
		return json.RawMessage(*p.JSON), nil
	case p.JSON != nil:
		return must(readTyped(must(parseTree([]byte(*p.JSON))), schema, "value")), schema
	}
	return nil, schema
}

func objectOf(text string) Object {
	members, _ := plainOf(must(parseTree([]byte(text)))).(map[string]any)
	return members
}

func (v *vectorRecord) record() Record {
	made := Record{Topic: v.Topic, Partition: v.Partition, SourcePartition: objectOf(v.SourcePartition)}
	made.Key, made.KeySchema = v.Key.inHand()
	made.Value, made.ValueSchema = v.Value.inHand()
	for _, one := range v.Headers {
		value, schema := one.Value.inHand()
		made.Headers = append(made.Headers, Header{one.Name, value, schema})
	}
	if v.Timestamp != nil {
		made.Timestamp = time.UnixMilli(must(strconv.ParseInt(*v.Timestamp, 10, 64)))
	}
	if v.SourceOffset != nil {
		made.SourceOffset = objectOf(*v.SourceOffset)
	}
	return made
}

func TestBatchesArePackedAsAllSDKsDo(t *testing.T) {
	var vectors batchVectors
	readVectors(t, "source-batches.json", &vectors)
	for _, vector := range vectors.Batches {
		t.Run(vector.Name, func(t *testing.T) {
			u := &unpacker{map[uint32]string{}, map[uint32]string{}, map[uint32]string{}, map[uint32]*pb.FormDef{}}
			perRecord := vector.OffsetMode == "PER_RECORD"
			packer := newPacker(newOutDefinitions(u.define), 4*1024*1024, !perRecord)
			for n := range vector.Records {
				record := vector.Records[n].record()
				if fits, err := packer.add(&record); err != nil || !fits {
					t.Fatalf("record %d does not fit: %v", n, err)
				}
			}
			cost := int64(packer.bytes)
			columns := packer.finish(func(string, *string) {})
			made := len(columns.Arena) + len(columns.OffsetArena) + 64*(int(columns.Count)+len(columns.HeaderNames)) + 4_096
			if cost != int64(made) {
				t.Errorf("it costs %d, the columns cost %d", cost, made)
			}
			rows := u.rows(columns, perRecord)
			if !perRecord {
				for n := range vector.Records {
					vector.Records[n].SourcePartition, vector.Records[n].SourceOffset = "", nil
				}
				if last := u.lastOffsets(columns); !reflect.DeepEqual(last, vector.LastOffsets) {
					t.Errorf("the last offsets are %v", asText(last))
				}
			}
			if asText(rows) != asText(vector.Records) {
				t.Errorf("packed %s, not %s", asText(rows), asText(vector.Records))
			}
		})
	}
}

func asText(value any) string { return string(must(json.Marshal(value))) }

// readPut takes the messages as a sink task does; the last one is the put.
func readPut(messages []string) (batch *putBatch, err error) {
	defer func() {
		if broken, ok := recover().(breachError); ok {
			err = broken
		}
	}()
	definitions := newInDefinitions()
	for _, text := range messages {
		message := &pb.HostSinkMessage{}
		if err := proto.Unmarshal(must(hex.DecodeString(text)), message); err != nil {
			return nil, err
		}
		switch kind := message.Kind.(type) {
		case *pb.HostSinkMessage_Topic:
			definitions.topic(kind.Topic)
		case *pb.HostSinkMessage_Name:
			definitions.name(kind.Name)
		case *pb.HostSinkMessage_Form:
			definitions.form(kind.Form)
		case *pb.HostSinkMessage_Put:
			batch = newPutBatch(definitions, kind.Put)
		}
	}
	return batch, nil
}

// same says how a value that was read differs from the vector's.
func same(value any, schema *Schema, piece *vectorPiece) error {
	if piece == nil {
		if value != nil || schema != nil {
			return fmt.Errorf("read %v of %v, not null", value, schema)
		}
		return nil
	}
	if (schema == nil) != (piece.Schema == nil) || schema != nil && must(schema.Text()) != *piece.Schema {
		return fmt.Errorf("read the schema %v", schema)
	}
	wanted, _ := piece.inHand()
	switch {
	case piece.Null:
		if value != nil {
			return fmt.Errorf("read %v, not null", value)
		}
	case piece.JSON != nil:
		text, err := appendJSON(nil, value, 0)
		if schema != nil {
			text, err = appendTyped(nil, value, schema, "value")
		}
		// Members of plain data are read into a map, which has no order.
		if err != nil || string(text) != *piece.JSON && (schema != nil || !sameData(text, *piece.JSON)) {
			return fmt.Errorf("wrote %s (%v), not %s", text, err, *piece.JSON)
		}
	case piece.Hex != nil:
		if read, ok := value.([]byte); !ok || !bytes.Equal(read, wanted.([]byte)) {
			return fmt.Errorf("read %v", value)
		}
	default:
		if value != wanted {
			return fmt.Errorf("read %q, not %q", value, wanted)
		}
	}
	return nil
}

func sameData(text []byte, wanted string) bool {
	return reflect.DeepEqual(plainOf(must(parseTree(text))), plainOf(must(parseTree([]byte(wanted)))))
}

func (v *vectorRecord) differs(record *SinkRecord) error {
	original := record.original()
	said := []any{record.Topic, record.Partition, strconv.FormatInt(record.Offset, 10), record.TimestampType(),
		original.Topic, int32(original.Partition)}
	wanted := []any{v.Topic, *v.Partition, v.Offset, v.TimestampType, v.OriginalTopic, v.OriginalPartition}
	if !reflect.DeepEqual(said, wanted) {
		return fmt.Errorf("read %v, not %v", said, wanted)
	}
	if (v.Timestamp == nil) != record.Timestamp.IsZero() ||
		v.Timestamp != nil && *v.Timestamp != strconv.FormatInt(record.Timestamp.UnixMilli(), 10) {
		return fmt.Errorf("read the timestamp %v", record.Timestamp)
	}
	if err := same(must(record.Key()), record.KeySchema(), v.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if err := same(must(record.Value()), record.ValueSchema(), v.Value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	headers := must(record.Headers())
	if len(headers) != len(v.Headers) {
		return fmt.Errorf("read %d headers", len(headers))
	}
	for n, one := range headers {
		if err := same(one.Value, one.Schema, v.Headers[n].Value); err != nil || one.Name != v.Headers[n].Name {
			return fmt.Errorf("header %s: %w", one.Name, err)
		}
	}
	return nil
}

func TestBatchesAreReadAsAllSDKsDo(t *testing.T) {
	var vectors batchVectors
	readVectors(t, "sink-batches.json", &vectors)
	for _, vector := range vectors.Batches {
		t.Run(vector.Name, func(t *testing.T) {
			batch, err := readPut(vector.Messages)
			if err != nil {
				t.Fatal(err)
			}
			if batch.cost() != vector.CostBytes || len(batch.records) != len(vector.Records) {
				t.Errorf("%d records cost %d", len(batch.records), batch.cost())
			}
			for n := range batch.records {
				if err := vector.Records[n].differs(&batch.records[n]); err != nil {
					t.Errorf("record %d: %v", n, err)
				}
			}
		})
	}
	for _, vector := range vectors.Refused {
		if _, err := readPut(vector.Messages); err == nil {
			t.Errorf("%s was taken", vector.Name)
		}
	}
}

func TestErrorsAreToldAsAllSDKsDo(t *testing.T) {
	var vectors struct {
		Errors []struct {
			Kind, Code   string
			FailureClass string `json:"failure_class"`
		}
		Text, Hint, Cause string
	}
	readVectors(t, "failures.json", &vectors)
	cause := errors.New(vectors.Cause)
	plain := fmt.Errorf("%s%w", vectors.Text, silent{cause})
	made := map[string]error{
		"other":     plain,
		"retriable": Retriable(plain).WithHint("%s", vectors.Hint),
		"config":    ConfigError("%w", plain).WithHint("%s", vectors.Hint),
		"auth":      AuthError(plain).WithHint("%s", vectors.Hint),
		"data":      DataError("%w", plain).WithHint("%s", vectors.Hint),
	}
	for _, one := range vectors.Errors {
		failure := toFailure(made[one.Kind])
		hint := vectors.Hint
		if one.Kind == "other" {
			hint = ""
		}
		if failure.Code.String() != "FAILURE_CODE_"+one.Code ||
			failure.FailureClass.String() != "FAILURE_CLASS_"+one.FailureClass ||
			failure.Text != vectors.Text || failure.Hint != hint {
			t.Errorf("%s: told as %v", one.Kind, failure)
		}
		if len(failure.Causes) == 0 || failure.Causes[len(failure.Causes)-1].Text != vectors.Cause {
			t.Errorf("%s: the causes are %v", one.Kind, failure.Causes)
		}
	}
}

// silent is an error's cause whose text is not a part of the error's own.
type silent struct{ cause error }

func (s silent) Error() string { return "" }
func (s silent) Unwrap() error { return s.cause }
