package bulkhead

import (
	"encoding/json"
	"sort"
	"strconv"
	"sync"
)

const (
	logicalPrefix = "org.apache.kafka.connect.data."
	dateName      = logicalPrefix + "Date"
	timeName      = logicalPrefix + "Time"
	timestampName = logicalPrefix + "Timestamp"
	decimalName   = logicalPrefix + "Decimal"
)

// Schema is a Kafka Connect schema. Make one once and use it for all records; do not change it then.
type Schema struct {
	// Type is int8 int16 int32 int64 float double boolean string bytes array map or struct.
	Type     string
	Optional bool
	Name     string
	Version  *int
	Doc      *string
	// Parameters in the order they are written.
	Parameters []Parameter
	// nil = no default.
	Default any
	// Of a struct, in order.
	Fields []Field
	// Of an array, and of a map its values. A schema read from Kafka may lack them.
	Items *Schema
	// Of a map.
	Keys *Schema

	text  string
	once  sync.Once
	wrong error
}

// Parameter of a schema.
type Parameter struct{ Name, Value string }

// Field of a struct schema.
type Field struct {
	Name   string
	Schema *Schema
}

// SchemaOf makes a schema of a primitive type.
func SchemaOf(kind string) *Schema { return &Schema{Type: kind} }

// StructSchema makes the schema of a struct.
func StructSchema(name string, fields ...Field) *Schema {
	return &Schema{Type: "struct", Name: name, Fields: fields}
}

// ArraySchema makes the schema of an array.
func ArraySchema(items *Schema) *Schema { return &Schema{Type: "array", Items: items} }

// MapSchema makes the schema of a map.
func MapSchema(keys, values *Schema) *Schema { return &Schema{Type: "map", Keys: keys, Items: values} }

func logical(kind, name string) *Schema {
	version := 1
	return &Schema{Type: kind, Name: name, Version: &version}
}

// DateSchema is for time.Time: its day in UTC.
func DateSchema() *Schema { return logical("int32", dateName) }

// TimeSchema is for time.Duration since midnight, to the millisecond.
func TimeSchema() *Schema { return logical("int32", timeName) }

// TimestampSchema is for time.Time, to the millisecond.
func TimestampSchema() *Schema { return logical("int64", timestampName) }

// DecimalSchema is for Decimal with so many digits behind the point.
func DecimalSchema(scale int) *Schema {
	made := logical("bytes", decimalName)
	made.Parameters = []Parameter{{"scale", strconv.Itoa(scale)}}
	return made
}

// Opt gives the same schema for values that may be null.
func (s *Schema) Opt() *Schema {
	return &Schema{Type: s.Type, Optional: true, Name: s.Name, Version: s.Version, Doc: s.Doc,
		Parameters: s.Parameters, Default: s.Default, Fields: s.Fields, Items: s.Items, Keys: s.Keys}
}

func (s *Schema) parameter(name string) string {
	for _, one := range s.Parameters {
		if one.Name == name {
			return one.Value
		}
	}
	return ""
}

func (s *Schema) scale() int {
	scale, _ := strconv.Atoi(s.parameter("scale"))
	return scale
}

var schemaTypes = map[string]bool{"int8": true, "int16": true, "int32": true, "int64": true, "float": true, "double": true,
	"boolean": true, "string": true, "bytes": true, "array": true, "map": true, "struct": true}

// Text is the schema exactly as JsonConverter writes it.
func (s *Schema) Text() (string, error) { return schemaText(s) }

func schemaText(s *Schema) (string, error) {
	s.once.Do(func() {
		text, err := appendSchema(nil, s, nil)
		s.text, s.wrong = string(text), err
	})
	return s.text, s.wrong
}

func appendSchema(into []byte, s *Schema, field *string) (_ []byte, err error) {
	if s == nil {
		return append(into, "null"...), nil
	}
	if !schemaTypes[s.Type] {
		return into, DataError("Unknown schema type: %s", s.Type)
	}
	into = append(append(append(into, `{"type":"`...), s.Type...), '"')
	switch s.Type {
	case "struct":
		into = append(into, `,"fields":[`...)
		for at := range s.Fields {
			if at > 0 {
				into = append(into, ',')
			}
			if into, err = appendSchema(into, s.Fields[at].Schema, &s.Fields[at].Name); err != nil {
				return into, err
			}
		}
		into = append(into, ']')
	case "array":
		into, err = appendSchema(append(into, `,"items":`...), s.Items, nil)
	case "map":
		if into, err = appendSchema(append(into, `,"keys":`...), s.Keys, nil); err == nil {
			into, err = appendSchema(append(into, `,"values":`...), s.Items, nil)
		}
	}
	if err != nil {
		return into, err
	}
	return appendSchemaRest(into, s, field)
}

func appendSchemaRest(into []byte, s *Schema, field *string) (_ []byte, err error) {
	into = strconv.AppendBool(append(into, `,"optional":`...), s.Optional)
	if s.Name != "" {
		into = appendString(append(into, `,"name":`...), s.Name)
	}
	if s.Version != nil {
		into = strconv.AppendInt(append(into, `,"version":`...), int64(*s.Version), 10)
	}
	if s.Doc != nil {
		into = appendString(append(into, `,"doc":`...), *s.Doc)
	}
	if s.Parameters != nil {
		into = append(into, `,"parameters":{`...)
		for at, one := range s.Parameters {
			if at > 0 {
				into = append(into, ',')
			}
			into = appendString(append(appendString(into, one.Name), ':'), one.Value)
		}
		into = append(into, '}')
	}
	if s.Default != nil {
		if into, err = appendTyped(append(into, `,"default":`...), s.Default, s, "value"); err != nil {
			return into, err
		}
	}
	if field != nil {
		into = appendString(append(into, `,"field":`...), *field)
	}
	return append(into, '}'), nil
}

// ParseSchema reads a schema from its text.
func ParseSchema(text string) (*Schema, error) {
	tree, err := parseTree([]byte(text))
	if err != nil {
		return nil, DataError("a schema is not JSON")
	}
	return schemaOfTree(tree)
}

func schemaOfTree(tree any) (*Schema, error) {
	if tree == nil {
		return nil, nil
	}
	said, ok := tree.(*jsonObject)
	if !ok {
		return nil, DataError("a schema is a JSON object")
	}
	kind, _ := said.get("type").(string)
	if !schemaTypes[kind] {
		return nil, DataError("Unknown schema type: %s", kind)
	}
	made := &Schema{Type: kind}
	made.Optional, _ = said.get("optional").(bool)
	made.Name, _ = said.get("name").(string)
	if doc, ok := said.get("doc").(string); ok {
		made.Doc = &doc
	}
	if number, ok := said.get("version").(json.Number); ok {
		version, _ := strconv.Atoi(string(number))
		made.Version = &version
	}
	if parameters, ok := said.get("parameters").(*jsonObject); ok {
		made.Parameters = []Parameter{}
		for _, one := range parameters.members {
			made.Parameters = append(made.Parameters, Parameter{one.name, printed(one.value)})
		}
	}
	return made, fillParts(made, said)
}

func fillParts(made *Schema, said *jsonObject) (err error) {
	fields, _ := said.get("fields").([]any)
	for _, one := range fields {
		of, err := schemaOfTree(one)
		if err != nil {
			return err
		}
		if of == nil {
			return DataError("a struct's field has no schema")
		}
		name, _ := one.(*jsonObject).get("field").(string)
		made.Fields = append(made.Fields, Field{name, of})
	}
	if made.Keys, err = schemaOfTree(said.get("keys")); err != nil {
		return err
	}
	items := said.get("items")
	if made.Type == "map" {
		items = said.get("values")
	}
	if made.Items, err = schemaOfTree(items); err != nil {
		return err
	}
	if given := said.get("default"); given != nil {
		made.Default, err = readTyped(given, made, "value")
	}
	return err
}

func sortedNames[V any](members map[string]V) []string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
