package bulkhead

import (
	"encoding/json"
	"unicode/utf8"
)

// piece appends what goes into the arena for a value, and gives its size column's entry and its form.
func (p *packer) piece(into []byte, value any, schema *Schema) ([]byte, uint32, uint32, error) {
	if schema != nil {
		return p.typedPiece(into, value, schema)
	}
	start := len(into)
	key := formKey{encoding: encodeJSON}
	var err error
	switch one := value.(type) {
	case nil:
		return into, 0, 0, nil
	case []byte:
		if one == nil {
			return into, 0, 0, nil
		}
		key.encoding = encodeBytes
		into = append(into, one...)
	case sameValue:
		return p.samePiece(into, one)
	case string:
		if !utf8.ValidString(one) {
			return into, 0, 0, DataError("a text is not UTF-8: give it as []byte")
		}
		key.encoding = encodeText
		into = append(into, one...)
	case json.RawMessage:
		if !json.Valid(one) {
			return into, 0, 0, DataError("a json.RawMessage is not JSON")
		}
		if into, err = appendParsed(into, one); err != nil {
			return into, 0, 0, err
		}
	default:
		if into, err = appendJSON(into, value, 0); err != nil {
			return into, 0, 0, err
		}
	}
	form, err := p.definitions.form(key)
	return into, uint32(len(into)-start) + 1, form, err
}

// sameValue goes on as it came.
type sameValue struct {
	data []byte
	form inForm
}

func (p *packer) samePiece(into []byte, same sameValue) ([]byte, uint32, uint32, error) {
	isTyped := same.form.schema != nil
	if same.data == nil && !isTyped {
		return into, 0, 0, nil
	}
	form, err := p.definitions.form(formKey{same.form.encoding, same.form.text, isTyped})
	if same.data == nil {
		return into, 0, form, err
	}
	return append(into, same.data...), uint32(len(same.data)) + 1, form, err
}

func (p *packer) typedPiece(into []byte, value any, schema *Schema) ([]byte, uint32, uint32, error) {
	key, err := p.definitions.typedKey(schema)
	if err != nil {
		return into, 0, 0, err
	}
	start := len(into)
	text, isText := value.(string)
	data, isBytes := value.([]byte)
	switch {
	case isNull(value):
		if !schema.Optional && schema.Default == nil {
			_, err = appendTyped(nil, nil, schema, "value")
		}
	case key.encoding == encodeText && isText && utf8.ValidString(text):
		into = append(into, text...)
	case key.encoding == encodeBytes && isBytes:
		into = append(into, data...)
	case key.encoding == encodeJSON:
		into, err = appendTyped(into, value, schema, "value")
	default:
		_, err = appendTyped(nil, value, schema, "value")
		if err == nil {
			key.encoding = encodeJSON
			into, err = appendTyped(into, value, schema, "value")
		}
	}
	if err != nil {
		return into[:start], 0, 0, err
	}
	form, err := p.definitions.form(key)
	if isNull(value) {
		return into, 0, form, err
	}
	return into, uint32(len(into)-start) + 1, form, err
}

func (p *packer) packHeaders(pieces []byte, headers []Header) ([]byte, error) {
	p.headers = p.headers[:0]
	if len(headers) > headersMax {
		return pieces, DataError("a record has %d headers; the limit is %d", len(headers), headersMax)
	}
	for at := range headers {
		header := &headers[at]
		grown, size, form, err := p.piece(pieces, header.Value, header.Schema)
		if err != nil {
			return pieces, err
		}
		pieces = grown
		name, err := p.definitions.name(header.Name)
		if err != nil {
			return pieces, err
		}
		p.headers = append(p.headers, packedHeader{name, form, size})
	}
	return pieces, nil
}
