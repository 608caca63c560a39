// A transform, a predicate, a converter and a converter of headers: one of each, in one program.
package main

import (
	"context"
	"fmt"
	"strings"

	bulkhead "bulkhead/sdk/go"
)

// shorten cuts the texts in a value that are too long for where they go.
type shorten struct {
	bulkhead.StageTask[struct {
		Max     int    `default:"32767" min:"0" doc:"how many characters a text may have"`
		TooLong string `default:"cut" oneof:"cut,drop,fail" doc:"what becomes of it, or of its record"`
	}]
}

func (s *shorten) Apply(_ context.Context, record *bulkhead.StageRecord) (bool, error) {
	value, err := record.Value()
	if err != nil {
		return false, err
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return true, nil
	}
	for name, field := range fields {
		text, _ := field.(string)
		if len(text) <= s.Config.Max {
			continue
		}
		runes := []rune(text)
		if len(runes) <= s.Config.Max {
			continue
		}
		switch s.Config.TooLong {
		case "drop":
			return false, nil
		case "fail":
			return false, fmt.Errorf("%s has %d characters; the limit is %d", name, len(runes), s.Config.Max)
		}
		fields[name] = string(runes[:s.Config.Max])
		record.SetValue(fields)
	}
	return true, nil
}

// hasHeader is true for records with a header of that name.
type hasHeader struct {
	bulkhead.StageTask[struct{ Name string }]
}

func (h *hasHeader) Test(_ context.Context, record *bulkhead.StageRecord) (bool, error) {
	headers, err := record.Headers()
	for _, header := range headers {
		if header.Name == h.Config.Name {
			return true, err
		}
	}
	return false, err
}

// words are texts with a separator between them, as lists.
type words struct {
	bulkhead.StageTask[struct {
		Separator string `default:"," nonempty:"true"`
		Most      int    `default:"1000" min:"1" doc:"how many words there may be"`
	}]
}

var wordList = bulkhead.ArraySchema(bulkhead.SchemaOf("string"))

func (w *words) FromConnect(_ context.Context, data *bulkhead.ConnectData) ([]byte, error) {
	if data.Value == nil {
		return nil, nil
	}
	list, ok := data.Value.([]any)
	if !ok {
		return nil, fmt.Errorf("%T is no list of words", data.Value)
	}
	texts := make([]string, len(list))
	for at, one := range list {
		texts[at] = fmt.Sprint(one)
	}
	return []byte(strings.Join(texts, w.Config.Separator)), nil
}

func (w *words) ToConnect(_ context.Context, data *bulkhead.KafkaData) (any, *bulkhead.Schema, error) {
	if data.Value == nil {
		return nil, nil, nil
	}
	list := []any{}
	for word := range strings.SplitSeq(string(data.Value), w.Config.Separator) {
		if len(list) == w.Config.Most {
			return nil, nil, fmt.Errorf("there are more than %d words", w.Config.Most)
		}
		list = append(list, word)
	}
	return list, wordList, nil
}

// textHeaders are headers that hold UTF-8.
type textHeaders struct {
	bulkhead.StageTask[struct{}]
}

func (*textHeaders) FromConnect(_ context.Context, data *bulkhead.ConnectData) ([]byte, error) {
	switch value := data.Value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return value, nil
	}
	return []byte(fmt.Sprint(data.Value)), nil
}

func (*textHeaders) ToConnect(_ context.Context, data *bulkhead.KafkaData) (any, *bulkhead.Schema, error) {
	if data.Value == nil {
		return nil, nil, nil
	}
	return strings.ToValidUTF8(string(data.Value), "\uFFFD"), nil, nil
}

func main() {
	(&bulkhead.Plugin{Name: "tidy", Version: "1.0.0", Classes: []bulkhead.Class{
		bulkhead.Transform[shorten]("example.ShortenTexts"),
		bulkhead.Predicate[hasHeader]("example.HasHeader"),
		bulkhead.Converter[words]("example.WordsConverter"),
		bulkhead.HeaderConverter[textHeaders]("example.TextHeaders"),
	}}).Run()
}
