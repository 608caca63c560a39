package bulkhead

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"time"
)

// Decimal is a number with Scale digits behind the point: Unscaled / 10^Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int
}

func (d Decimal) String() string {
	if d.Unscaled == nil {
		return "0"
	}
	rational := new(big.Rat).SetFrac(d.Unscaled, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(0, d.Scale))), nil))
	return rational.FloatString(max(0, d.Scale))
}

// MapEntries is a map under a schema, in its order: what a sink reads.
type MapEntries []MapEntry

// MapEntry is one of them.
type MapEntry struct{ Key, Value any }

// Get gives the value of a key; nil where there is none.
func (m MapEntries) Get(key any) any {
	for _, one := range m {
		if one.Key == key {
			return one.Value
		}
	}
	return nil
}

func isNull(value any) bool {
	if value == nil {
		return true
	}
	data, ok := value.([]byte)
	return ok && data == nil
}

var integerBits = map[string]int{"int8": 8, "int16": 16, "int32": 32, "int64": 64}

// appendTyped writes a value as JsonConverter does under its schema.
func appendTyped(into []byte, value any, s *Schema, path string) ([]byte, error) {
	if s == nil {
		return appendJSON(into, value, 0)
	}
	if isNull(value) {
		// A null stays null where the schema has a default: the host puts the default in its place.
		if s.Optional || s.Default != nil {
			return append(into, "null"...), nil
		}
		return into, DataError("Invalid value: null used for required field: %q, schema type: %s", path, s.Type)
	}
	switch s.Type {
	case "int8", "int16", "int32", "int64":
		return appendTypedInteger(into, value, s, path)
	case "float", "double":
		return appendTypedFloat(into, value, s, path)
	case "boolean":
		if one, ok := value.(bool); ok {
			return strconv.AppendBool(into, one), nil
		}
	case "string":
		if one, ok := value.(string); ok {
			return appendString(into, one), nil
		}
	case "bytes":
		return appendTypedBytes(into, value, s, path)
	case "array":
		if of := reflect.ValueOf(value); of.Kind() == reflect.Slice {
			return appendTypedArray(into, of, s, path)
		}
	case "map":
		return appendTypedMap(into, value, s, path)
	case "struct":
		return appendTypedStruct(into, value, s, path)
	}
	return into, misfit(value, s, path)
}

func misfit(value any, s *Schema, path string) error {
	kind := s.Type
	if s.Name != "" {
		kind += " (" + s.Name + ")"
	}
	shown := fmt.Sprintf("%v", value)
	if len(shown) > 100 {
		shown = shown[:100] + "…"
	}
	return DataError("%s (%T) cannot be written at %q as %s", shown, value, path, kind)
}

func appendTypedInteger(into []byte, value any, s *Schema, path string) ([]byte, error) {
	number := int64(0)
	switch one := value.(type) {
	case time.Time:
		switch s.Name {
		case timestampName:
			number = one.UnixMilli()
		case dateName:
			seconds := one.UTC().Unix()
			number = seconds / 86_400
			if seconds%86_400 < 0 {
				number--
			}
		default:
			return into, misfit(value, s, path)
		}
	case time.Duration:
		if s.Name != timeName {
			return into, misfit(value, s, path)
		}
		number = one.Milliseconds()
	default:
		of := reflect.ValueOf(value)
		switch {
		case s.Name == dateName || s.Name == timeName || s.Name == timestampName:
			return into, misfit(value, s, path)
		case of.CanInt():
			number = of.Int()
		case of.CanUint() && of.Uint() <= math.MaxInt64:
			number = int64(of.Uint())
		default:
			return into, misfit(value, s, path)
		}
	}
	unused := 64 - integerBits[s.Type]
	if number<<unused>>unused != number {
		return into, misfit(value, s, path)
	}
	return strconv.AppendInt(into, number, 10), nil
}

func appendTypedFloat(into []byte, value any, s *Schema, path string) ([]byte, error) {
	of := reflect.ValueOf(value)
	number := 0.0
	switch {
	case of.CanFloat():
		number = of.Float()
	case of.CanInt():
		number = float64(of.Int())
	default:
		return into, misfit(value, s, path)
	}
	bits := 64
	if s.Type == "float" {
		bits, number = 32, float64(float32(number))
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return append(append(append(into, '"'), javaDouble(number)...), '"'), nil
	}
	return appendJavaDouble(into, number, bits), nil
}

func appendTypedBytes(into []byte, value any, s *Schema, path string) ([]byte, error) {
	if s.Name != decimalName {
		if one, ok := value.([]byte); ok {
			return appendBase64(into, one), nil
		}
		return into, misfit(value, s, path)
	}
	one, ok := value.(Decimal)
	if !ok || one.Unscaled == nil || one.Scale > s.scale() {
		return into, misfit(value, s, path)
	}
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(s.scale()-one.Scale)), nil)
	return appendBase64(into, twosComplement(new(big.Int).Mul(one.Unscaled, factor))), nil
}

// twosComplement is big-endian in the fewest bytes, as Java's BigInteger writes it.
func twosComplement(number *big.Int) []byte {
	if number.Sign() >= 0 {
		made := number.Bytes()
		if len(made) == 0 || made[0] >= 0x80 {
			made = append([]byte{0}, made...)
		}
		return made
	}
	size := new(big.Int).Not(number).BitLen()/8 + 1
	power := new(big.Int).Lsh(big.NewInt(1), uint(8*size))
	return power.Add(power, number).FillBytes(make([]byte, size))
}

func appendTypedArray(into []byte, items reflect.Value, s *Schema, path string) (_ []byte, err error) {
	into = append(into, '[')
	for at := range items.Len() {
		if at > 0 {
			into = append(into, ',')
		}
		if into, err = appendTyped(into, items.Index(at).Interface(), s.Items, path+"[]"); err != nil {
			return into, err
		}
	}
	return append(into, ']'), nil
}

func appendTypedMap(into []byte, value any, s *Schema, path string) (_ []byte, err error) {
	entries, ok := value.(MapEntries)
	if !ok {
		if entries, ok = entriesOf(value); !ok {
			return into, misfit(value, s, path)
		}
	}
	asObject := s.Keys != nil && s.Keys.Type == "string" && !s.Keys.Optional
	open, closing := byte('['), byte(']')
	if asObject {
		open, closing = '{', '}'
	}
	into = append(into, open)
	for at, one := range entries {
		if at > 0 {
			into = append(into, ',')
		}
		if !asObject {
			into = append(into, '[')
		}
		if into, err = appendTyped(into, one.Key, s.Keys, path+" key"); err != nil {
			return into, err
		}
		if asObject {
			into = append(into, ':')
		} else {
			into = append(into, ',')
		}
		if into, err = appendTyped(into, one.Value, s.Items, path+" value"); err != nil {
			return into, err
		}
		if !asObject {
			into = append(into, ']')
		}
	}
	return append(into, closing), nil
}

// entriesOf a Go map: those with text keys in the order of their names.
func entriesOf(value any) (MapEntries, bool) {
	if members, ok := value.(map[string]any); ok {
		made := make(MapEntries, 0, len(members))
		for _, name := range sortedNames(members) {
			made = append(made, MapEntry{name, members[name]})
		}
		return made, true
	}
	of := reflect.ValueOf(value)
	if of.Kind() != reflect.Map {
		return nil, false
	}
	made := make(MapEntries, 0, of.Len())
	for _, key := range of.MapKeys() {
		made = append(made, MapEntry{key.Interface(), of.MapIndex(key).Interface()})
	}
	return made, true
}

func appendTypedStruct(into []byte, value any, s *Schema, path string) (_ []byte, err error) {
	members, ok := value.(map[string]any)
	if object, is := value.(Object); is {
		members, ok = object, true
	}
	if !ok {
		return into, misfit(value, s, path)
	}
	into = append(into, '{')
	for at := range s.Fields {
		field := &s.Fields[at]
		if at > 0 {
			into = append(into, ',')
		}
		into = append(appendString(into, field.Name), ':')
		if into, err = appendTyped(into, members[field.Name], field.Schema, fieldPath(path, field.Name)); err != nil {
			return into, err
		}
	}
	return append(into, '}'), nil
}

func fieldPath(path, name string) string {
	if path == "value" {
		return name
	}
	return path + "." + name
}
