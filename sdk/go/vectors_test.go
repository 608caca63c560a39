package bulkhead

import (
	"encoding/json"
	"os"
	"testing"
)

type vector struct {
	Name   string  `json:"name"`
	Schema *string `json:"schema"`
	JSON   string  `json:"json"`
}

// again reads a text under its schema and writes it back.
func again(one vector) (string, error) {
	if one.Schema == nil {
		text, err := appendParsed(nil, []byte(one.JSON))
		return string(text), err
	}
	schema, err := ParseSchema(*one.Schema)
	if err != nil {
		return "", err
	}
	tree, err := parseTree([]byte(one.JSON))
	if err != nil {
		return "", err
	}
	value, err := readTyped(tree, schema, "value")
	if err != nil {
		return "", err
	}
	text, err := appendTyped(nil, value, schema, "value")
	return string(text), err
}

func TestTheSharedVectorsAreReadAndWrittenToTheSameText(t *testing.T) {
	data, err := os.ReadFile("../vectors/canonical-json.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Values, Refused []vector }
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all.Values {
		if text, err := again(one); err != nil || text != one.JSON {
			t.Errorf("%s: wrote %s (%v), not %s", one.Name, text, err, one.JSON)
		}
		if one.Schema == nil {
			continue
		}
		schema, err := ParseSchema(*one.Schema)
		if err != nil {
			t.Errorf("%s: %v", one.Name, err)
		} else if text, err := schema.Text(); err != nil || text != *one.Schema {
			t.Errorf("%s: wrote the schema %s (%v), not %s", one.Name, text, err, *one.Schema)
		}
	}
	for _, one := range all.Refused {
		if text, err := again(one); err == nil {
			t.Errorf("%s was taken for %s", one.JSON, text)
		}
	}
	if len(all.Values) < 50 || len(all.Refused) == 0 {
		t.Error("the vectors are not there")
	}
}
