package bulkhead

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strconv"
	"unicode/utf8"
)

// JSON texts exactly as Kafka Connect's JsonConverter writes a payload: the contract's "canonical" text.

const depthMax = 200

func jsonText(object Object) (string, error) {
	if object == nil {
		return "null", nil
	}
	text, err := appendJSON(nil, map[string]any(object), 0)
	return string(text), err
}

// appendJSON writes a value without a schema: whole numbers are int64, others float64. A map's members
// go in the order of their names, a struct's as encoding/json has them.
func appendJSON(into []byte, value any, depth int) ([]byte, error) {
	if depth > depthMax {
		return into, DataError("the value is nested deeper than %d", depthMax)
	}
	switch one := value.(type) {
	case nil:
		return append(into, "null"...), nil
	case string:
		return appendString(into, one), nil
	case bool:
		return strconv.AppendBool(into, one), nil
	case int:
		return strconv.AppendInt(into, int64(one), 10), nil
	case int64:
		return strconv.AppendInt(into, one, 10), nil
	case int32:
		return strconv.AppendInt(into, int64(one), 10), nil
	case float64:
		return appendDouble(into, one), nil
	case Object:
		return appendMembers(into, one, depth)
	case map[string]any:
		return appendMembers(into, one, depth)
	case []any:
		return appendItems(into, one, depth)
	case []byte:
		return appendBase64(into, one), nil
	case json.Number:
		return appendNumber(into, string(one))
	case json.RawMessage:
		return appendParsed(into, one)
	case *jsonObject:
		return appendOrdered(into, one, depth)
	}
	return appendReflected(into, value, depth)
}

func appendMembers(into []byte, members map[string]any, depth int) ([]byte, error) {
	into = append(into, '{')
	var err error
	if len(members) == 1 {
		// Most offsets: no names to sort.
		for name, value := range members {
			into = append(appendString(into, name), ':')
			into, err = appendJSON(into, value, depth+1)
		}
		return append(into, '}'), err
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	sort.Strings(names)
	for at, name := range names {
		if at > 0 {
			into = append(into, ',')
		}
		into = append(appendString(into, name), ':')
		if into, err = appendJSON(into, members[name], depth+1); err != nil {
			return into, err
		}
	}
	return append(into, '}'), nil
}

func appendOrdered(into []byte, object *jsonObject, depth int) (_ []byte, err error) {
	into = append(into, '{')
	for at, member := range object.members {
		if at > 0 {
			into = append(into, ',')
		}
		into = append(appendString(into, member.name), ':')
		if into, err = appendJSON(into, member.value, depth+1); err != nil {
			return into, err
		}
	}
	return append(into, '}'), nil
}

func appendItems(into []byte, items []any, depth int) (_ []byte, err error) {
	into = append(into, '[')
	for at, item := range items {
		if at > 0 {
			into = append(into, ',')
		}
		if into, err = appendJSON(into, item, depth+1); err != nil {
			return into, err
		}
	}
	return append(into, ']'), nil
}

// appendReflected writes what is none of the common types.
func appendReflected(into []byte, value any, depth int) ([]byte, error) {
	if _, ok := value.(json.Marshaler); !ok {
		of := reflect.ValueOf(value)
		switch of.Kind() {
		case reflect.Int8, reflect.Int16, reflect.Int, reflect.Int32, reflect.Int64:
			return strconv.AppendInt(into, of.Int(), 10), nil
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
			if of.Uint() > math.MaxInt64 {
				return into, DataError("%d is too large for an integer without schema", of.Uint())
			}
			return strconv.AppendUint(into, of.Uint(), 10), nil
		case reflect.Float32:
			return appendDouble(into, of.Float()), nil
		case reflect.Float64:
			return appendDouble(into, of.Float()), nil
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return into, DataError("a %T cannot be written as JSON: %v", value, err)
	}
	return appendParsed(into, text)
}

// appendParsed writes a JSON text canonically.
func appendParsed(into []byte, text []byte) ([]byte, error) {
	tree, err := parseTree(text)
	if err != nil {
		return into, err
	}
	return appendJSON(into, tree, 0)
}

func appendNumber(into []byte, text string) ([]byte, error) {
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.AppendInt(into, number, 10), nil
	}
	if _, whole := new(big.Int).SetString(text, 10); whole {
		return into, DataError("%s is too large for an integer without schema", text)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return into, DataError("%s is no number", text)
	}
	return appendDouble(into, number), nil
}

func appendBase64(into, data []byte) []byte {
	into = append(into, '"')
	into = base64.StdEncoding.AppendEncode(into, data)
	return append(into, '"')
}

// appendDouble writes NaN and the infinities as strings.
func appendDouble(into []byte, value float64) []byte {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return append(append(append(into, '"'), javaDouble(value)...), '"')
	}
	return appendJavaDouble(into, value, 64)
}

const upperHex = "0123456789ABCDEF"

// appendString writes a quoted string with Jackson's escapes. Lone surrogates may stand in it as
// three bytes each, as WTF-8 has them.
func appendString(into []byte, text string) []byte {
	into = append(into, '"')
	start := 0
	for at := 0; at < len(text); {
		one := text[at]
		if one < utf8.RuneSelf {
			if one >= 0x20 && one != '"' && one != '\\' {
				at++
				continue
			}
			into = append(into, text[start:at]...)
			into = appendEscape(into, one)
			at++
			start = at
			continue
		}
		decoded, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case decoded == utf8.RuneError && size == 1:
			into = append(into, text[start:at]...)
			unit, ok := loneSurrogate(text[at:])
			if ok {
				size = 3
			} else {
				unit = utf8.RuneError
			}
			into = appendUnit(into, unit)
			at += size
			start = at
		case decoded > 0xFFFF:
			into = append(into, text[start:at]...)
			into = appendUnit(into, 0xD800+(decoded-0x10000)>>10)
			into = appendUnit(into, 0xDC00+(decoded-0x10000)&0x3FF)
			at += size
			start = at
		default:
			at += size
		}
	}
	into = append(into, text[start:]...)
	return append(into, '"')
}

// loneSurrogate reads three bytes of WTF-8.
func loneSurrogate(text string) (rune, bool) {
	if len(text) < 3 || text[0] != 0xED || text[1] < 0xA0 || text[1] > 0xBF || text[2]&0xC0 != 0x80 {
		return 0, false
	}
	return 0xD000 | rune(text[1]&0x3F)<<6 | rune(text[2]&0x3F), true
}

func appendUnit(into []byte, unit rune) []byte {
	return append(into, '\\', 'u', upperHex[unit>>12&15], upperHex[unit>>8&15], upperHex[unit>>4&15], upperHex[unit&15])
}

func appendEscape(into []byte, one byte) []byte {
	switch one {
	case '"', '\\':
		return append(into, '\\', one)
	case '\b':
		return append(into, '\\', 'b')
	case '\f':
		return append(into, '\\', 'f')
	case '\n':
		return append(into, '\\', 'n')
	case '\r':
		return append(into, '\\', 'r')
	case '\t':
		return append(into, '\\', 't')
	}
	return appendUnit(into, rune(one))
}
