package bulkhead

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// jsonObject keeps its members in the order they came.
type jsonObject struct{ members []jsonMember }

type jsonMember struct {
	name  string
	value any
}

func (o *jsonObject) get(name string) any {
	// The last counts where a name repeats.
	for at := len(o.members) - 1; at >= 0; at-- {
		if o.members[at].name == name {
			return o.members[at].value
		}
	}
	return nil
}

// parseJSON gives a value as user code sees it: map[string]any, []any, string, bool, nil, int64 for
// whole numbers (json.Number where they are larger), float64 for others.
func parseJSON(text []byte) (any, error) {
	tree, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	return plainOf(tree), nil
}

func plainOf(tree any) any {
	switch one := tree.(type) {
	case *jsonObject:
		members := make(map[string]any, len(one.members))
		for _, member := range one.members {
			members[member.name] = plainOf(member.value)
		}
		return members
	case []any:
		for at := range one {
			one[at] = plainOf(one[at])
		}
		return one
	case json.Number:
		if number, err := strconv.ParseInt(string(one), 10, 64); err == nil {
			return number
		}
		if isWhole(string(one)) {
			return one
		}
		number, _ := strconv.ParseFloat(string(one), 64)
		return number
	}
	return tree
}

func isWhole(number string) bool {
	for at := range len(number) {
		if one := number[at]; one == '.' || one == 'e' || one == 'E' {
			return false
		}
	}
	return true
}

// parseTree keeps numbers as they are written, and lone surrogates as three bytes.
func parseTree(text []byte) (any, error) {
	// It judges the syntax; what is valid is then read without further checks.
	if !json.Valid(text) {
		return nil, DataError("a value is not JSON")
	}
	reader := treeReader{text: text}
	return reader.value(0)
}

type treeReader struct {
	text []byte
	at   int
}

func (r *treeReader) blanks() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\r' || r.text[r.at] == '\t') {
		r.at++
	}
}

func (r *treeReader) value(depth int) (any, error) {
	if depth > depthMax {
		return nil, DataError("a value is nested deeper than %d", depthMax)
	}
	r.blanks()
	switch r.text[r.at] {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return r.string(), nil
	case 't':
		r.at += 4
		return true, nil
	case 'f':
		r.at += 5
		return false, nil
	case 'n':
		r.at += 4
		return nil, nil
	}
	start := r.at
	for r.at < len(r.text) && (r.text[r.at] >= '0' && r.text[r.at] <= '9' || r.text[r.at] == '-' || r.text[r.at] == '+' ||
		r.text[r.at] == '.' || r.text[r.at] == 'e' || r.text[r.at] == 'E') {
		r.at++
	}
	return json.Number(r.text[start:r.at]), nil
}

func (r *treeReader) object(depth int) (any, error) {
	made := &jsonObject{}
	r.at++
	for {
		r.blanks()
		if r.text[r.at] == '}' {
			r.at++
			return made, nil
		}
		if r.text[r.at] == ',' {
			r.at++
			r.blanks()
		}
		name := r.string()
		r.blanks()
		r.at++ // the colon
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		made.members = append(made.members, jsonMember{name, value})
	}
}

func (r *treeReader) array(depth int) (any, error) {
	made := []any{}
	r.at++
	for {
		r.blanks()
		if r.text[r.at] == ']' {
			r.at++
			return made, nil
		}
		if r.text[r.at] == ',' {
			r.at++
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		made = append(made, value)
	}
}

func (r *treeReader) string() string {
	r.at++
	start := r.at
	for r.text[r.at] != '"' && r.text[r.at] != '\\' {
		r.at++
	}
	if r.text[r.at] == '"' {
		r.at++
		return string(r.text[start : r.at-1])
	}
	made := append([]byte(nil), r.text[start:r.at]...)
	for r.text[r.at] != '"' {
		if r.text[r.at] != '\\' {
			made = append(made, r.text[r.at])
			r.at++
			continue
		}
		made = r.escape(made)
	}
	r.at++
	return string(made)
}

func (r *treeReader) escape(into []byte) []byte {
	r.at += 2
	switch r.text[r.at-1] {
	case 'b':
		return append(into, '\b')
	case 'f':
		return append(into, '\f')
	case 'n':
		return append(into, '\n')
	case 'r':
		return append(into, '\r')
	case 't':
		return append(into, '\t')
	case 'u':
		unit := r.unit()
		if unit >= 0xD800 && unit < 0xDC00 && r.text[r.at] == '\\' && r.text[r.at+1] == 'u' {
			r.at += 2
			low := r.unit()
			if low >= 0xDC00 && low < 0xE000 {
				return utf8.AppendRune(into, 0x10000+(unit-0xD800)<<10+(low-0xDC00))
			}
			// Two that are no pair.
			r.at -= 6
		}
		if unit >= 0xD800 && unit < 0xE000 {
			return append(into, 0xED, byte(0x80|unit>>6&0x3F), byte(0x80|unit&0x3F))
		}
		return utf8.AppendRune(into, unit)
	}
	return append(into, r.text[r.at-1])
}

func (r *treeReader) unit() rune {
	number, _ := strconv.ParseUint(string(r.text[r.at:r.at+4]), 16, 32)
	r.at += 4
	return rune(number)
}
