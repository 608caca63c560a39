package bulkhead

import (
	"context"
	"fmt"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// stageStep does one record of a batch; an error fails the record.
type stageStep func(ctx context.Context, row *SinkRecord, results *stageResults) error

// newStageStep is what a class does with a record for an operation.
func newStageStep(class *Class, instance taskInstance, operation pb.StageOperation) (stageStep, error) {
	switch class.kind {
	case pb.PluginKind_PLUGIN_KIND_TRANSFORMATION:
		if operation == pb.StageOperation_STAGE_OPERATION_APPLY {
			return applyStep(instance.(Applier)), nil
		}
	case pb.PluginKind_PLUGIN_KIND_PREDICATE:
		if operation == pb.StageOperation_STAGE_OPERATION_TEST {
			return testStep(instance.(Tester)), nil
		}
	default:
		step := convertStep
		if class.kind == pb.PluginKind_PLUGIN_KIND_HEADER_CONVERTER {
			step = headersStep
		}
		switch operation {
		case pb.StageOperation_STAGE_OPERATION_TO_CONNECT:
			return step(instance.(DataConverter), toConnect), nil
		case pb.StageOperation_STAGE_OPERATION_FROM_CONNECT:
			return step(instance.(DataConverter), fromConnect), nil
		}
	}
	return nil, fmt.Errorf("a %s was asked for %s, which it does not have", class.kindName(), operation)
}

func applyStep(user Applier) stageStep {
	return func(ctx context.Context, row *SinkRecord, results *stageResults) error {
		record := newStageRecord(row)
		keep := false
		err := callUser(user, "Apply", func() (err error) {
			keep, err = user.Apply(ctx, record)
			return err
		})
		if err != nil {
			return err
		}
		if !keep {
			results.say(pb.StageVerdict_STAGE_VERDICT_FILTERED)
			return nil
		}
		outgoing, err := record.outgoing()
		if err != nil {
			return err
		}
		return results.ok(outgoing)
	}
}

func testStep(user Tester) stageStep {
	return func(ctx context.Context, row *SinkRecord, results *stageResults) error {
		yes := false
		err := callUser(user, "Test", func() (err error) {
			yes, err = user.Test(ctx, newStageRecord(row))
			return err
		})
		if err != nil {
			return err
		}
		verdict := pb.StageVerdict_STAGE_VERDICT_FALSE
		if yes {
			verdict = pb.StageVerdict_STAGE_VERDICT_TRUE
		}
		results.say(verdict)
		return nil
	}
}

// conversion is one of the two directions: data of a record into a header or value of the result.
type conversion func(ctx context.Context, user DataConverter, data *ConnectData) (any, *Schema, error)

func fromConnect(ctx context.Context, user DataConverter, data *ConnectData) (any, *Schema, error) {
	var made []byte
	err := callUser(user, "FromConnect", func() (err error) {
		made, err = user.FromConnect(ctx, data)
		return err
	})
	return made, nil, err
}

func toConnect(ctx context.Context, user DataConverter, data *ConnectData) (value any, schema *Schema, err error) {
	said := &KafkaData{Topic: data.Topic, Header: data.Header, Headers: data.Headers}
	if said.Value, err = kafkaBytes(data.Value, "a value"); err != nil {
		return nil, nil, err
	}
	err = callUser(user, "ToConnect", func() (err error) {
		value, schema, err = user.ToConnect(ctx, said)
		return err
	})
	data.Headers = said.Headers
	return value, schema, err
}

func convertStep(user DataConverter, convert conversion) stageStep {
	return func(ctx context.Context, row *SinkRecord, results *stageResults) error {
		value, err := row.Value()
		if err != nil {
			return err
		}
		data := &ConnectData{Topic: row.Topic, Value: value, Schema: row.ValueSchema()}
		if data.Headers, err = kafkaHeaders(row); err != nil {
			return err
		}
		record := &Record{Topic: row.Topic}
		if record.Value, record.ValueSchema, err = convert(ctx, user, data); err != nil {
			return err
		}
		for _, header := range data.Headers {
			record.Headers = append(record.Headers, Header{Name: header.Name, Value: header.Value})
		}
		return results.ok(record)
	}
}

// headersStep converts header by header.
func headersStep(user DataConverter, convert conversion) stageStep {
	return func(ctx context.Context, row *SinkRecord, results *stageResults) error {
		headers, err := row.Headers()
		if err != nil {
			return err
		}
		record := &Record{Topic: row.Topic}
		for _, header := range headers {
			data := &ConnectData{Topic: row.Topic, Header: header.Name, Value: header.Value, Schema: header.Schema}
			value, schema, err := convert(ctx, user, data)
			if err != nil {
				return err
			}
			record.Headers = append(record.Headers, Header{Name: header.Name, Value: value, Schema: schema})
		}
		return results.ok(record)
	}
}

func kafkaHeaders(row *SinkRecord) ([]KafkaHeader, error) {
	headers, err := row.Headers()
	if err != nil || len(headers) == 0 {
		return nil, err
	}
	made := make([]KafkaHeader, len(headers))
	for at, header := range headers {
		made[at].Name = header.Name
		if made[at].Value, err = kafkaBytes(header.Value, "header "+header.Name); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func kafkaBytes(value any, what string) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	bytes, ok := value.([]byte)
	if !ok {
		return nil, fmt.Errorf("%s came as %T where bytes were due", what, value)
	}
	return bytes, nil
}
