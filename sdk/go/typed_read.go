package bulkhead

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"time"
)

// readTyped gives the value that a sink sees: integers as int64, floats as float64, bytes, Decimal,
// time.Time (dates at midnight UTC), time.Duration, []any, MapEntries, Object.
func readTyped(tree any, s *Schema, path string) (any, error) {
	if tree == nil {
		return nil, nil
	}
	if s == nil {
		return plainOf(tree), nil
	}
	unfit := func() error { return DataError("a value does not fit its schema of type %s at %q", s.Type, path) }
	switch s.Type {
	case "struct":
		return readStruct(tree, s, path, unfit)
	case "array":
		items, ok := tree.([]any)
		if !ok {
			return nil, unfit()
		}
		made := make([]any, len(items))
		for at := range items {
			var err error
			if made[at], err = readTyped(items[at], s.Items, path+"[]"); err != nil {
				return nil, err
			}
		}
		return made, nil
	case "map":
		return readMap(tree, s, path, unfit)
	case "boolean":
		if one, ok := tree.(bool); ok {
			return one, nil
		}
		return nil, unfit()
	}
	return readScalar(tree, s, unfit)
}

func readScalar(tree any, s *Schema, unfit func() error) (any, error) {
	number, isNumber := tree.(json.Number)
	text, isText := tree.(string)
	switch s.Type {
	case "string":
		if isText {
			return text, nil
		}
	case "float", "double":
		if special, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[text]; ok {
			return special, nil
		}
		if value, err := strconv.ParseFloat(string(number), 64); isNumber && err == nil {
			return value, nil
		}
	case "bytes":
		data, err := base64.StdEncoding.DecodeString(text)
		if isText && err == nil {
			if s.Name == decimalName {
				return decimalOf(data, s.scale()), nil
			}
			return data, nil
		}
	default:
		if value, err := strconv.ParseInt(string(number), 10, integerBits[s.Type]); isNumber && err == nil {
			return logicalOf(value, s.Name), nil
		}
	}
	return nil, unfit()
}

func decimalOf(data []byte, scale int) Decimal {
	number := new(big.Int).SetBytes(data)
	if len(data) > 0 && data[0] >= 0x80 {
		number.Sub(number, new(big.Int).Lsh(big.NewInt(1), uint(8*len(data))))
	}
	return Decimal{number, scale}
}

func logicalOf(value int64, name string) any {
	switch name {
	case dateName:
		return time.Unix(value*86_400, 0).UTC()
	case timeName:
		return time.Duration(value) * time.Millisecond
	case timestampName:
		return time.UnixMilli(value).UTC()
	}
	return value
}

func readStruct(tree any, s *Schema, path string, unfit func() error) (any, error) {
	said, ok := tree.(*jsonObject)
	if !ok {
		return nil, unfit()
	}
	made := make(Object, len(s.Fields))
	for at := range s.Fields {
		field := &s.Fields[at]
		value, err := readTyped(said.get(field.Name), field.Schema, fieldPath(path, field.Name))
		if err != nil {
			return nil, err
		}
		made[field.Name] = value
	}
	return made, nil
}

func readMap(tree any, s *Schema, path string, unfit func() error) (any, error) {
	var made MapEntries
	add := func(key, value any) error {
		name, err := readTyped(key, s.Keys, path+" key")
		if err != nil {
			return err
		}
		read, err := readTyped(value, s.Items, path+" value")
		made = append(made, MapEntry{name, read})
		return err
	}
	switch said := tree.(type) {
	case *jsonObject:
		for _, one := range said.members {
			if err := add(one.name, one.value); err != nil {
				return nil, err
			}
		}
	case []any:
		for _, one := range said {
			pair, ok := one.([]any)
			if !ok || len(pair) != 2 {
				return nil, unfit()
			}
			if err := add(pair[0], pair[1]); err != nil {
				return nil, err
			}
		}
	default:
		return nil, unfit()
	}
	return made, nil
}
