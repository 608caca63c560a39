package bulkhead

import (
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	idMax = 65_535
	// The contract allows 32 MiB of live definitions; half of it leaves room for what one record adds.
	liveBytesMax = 16 * 1024 * 1024
	encodeBytes  = pb.Encoding_ENCODING_BYTES
	encodeText   = pb.Encoding_ENCODING_TEXT
	encodeJSON   = pb.Encoding_ENCODING_JSON
)

type formKey struct {
	encoding pb.Encoding
	schema   string
	isTyped  bool
}

// outDefinitions are ids of what is sent. A definition is written when its id is made: before its first batch.
type outDefinitions struct {
	write      func(proto.Message)
	topics     map[string]uint32
	names      map[string]uint32
	partitions map[string]uint32
	forms      map[formKey]uint32
	typed      map[*Schema]formKey
	liveBytes  int
	// What one more record might define no longer fits: send the batch, then forget.
	full bool
}

func newOutDefinitions(write func(proto.Message)) *outDefinitions {
	made := &outDefinitions{write: write}
	made.clear()
	return made
}

func (d *outDefinitions) clear() {
	d.topics, d.names, d.partitions = map[string]uint32{}, map[string]uint32{}, map[string]uint32{}
	d.forms, d.typed = map[formKey]uint32{}, map[*Schema]formKey{}
	d.liveBytes, d.full = 0, false
}

// forget: numbering begins again at 1.
func (d *outDefinitions) forget() {
	d.clear()
	d.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Forget{Forget: &pb.Forget{}}})
}

func (d *outDefinitions) topic(topic string) (uint32, error) {
	if found := d.topics[topic]; found != 0 {
		return found, nil
	}
	if topic == "" {
		return 0, DataError("a record has no topic")
	}
	if err := d.grow("topic name", topic, 249); err != nil {
		return 0, err
	}
	id := uint32(len(d.topics) + 1)
	d.topics[topic] = id
	d.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Topic{Topic: &pb.TopicDef{Id: id, Topic: topic}}})
	return id, nil
}

func (d *outDefinitions) name(name string) (uint32, error) {
	if found := d.names[name]; found != 0 {
		return found, nil
	}
	if err := d.grow("header name", name, 32*1024); err != nil {
		return 0, err
	}
	id := uint32(len(d.names) + 1)
	d.names[name] = id
	d.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Name{Name: &pb.NameDef{Id: id, Name: name}}})
	return id, nil
}

func (d *outDefinitions) partition(text string) (uint32, error) {
	if found := d.partitions[text]; found != 0 {
		return found, nil
	}
	if err := d.grow("source partition", text, 64*1024); err != nil {
		return 0, err
	}
	id := uint32(len(d.partitions) + 1)
	d.partitions[text] = id
	d.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Partition{
		Partition: &pb.PartitionDef{Id: id, Partition: text}}})
	return id, nil
}

// form gives the id of a form; a schema's text counts only where isTyped.
func (d *outDefinitions) form(key formKey) (uint32, error) {
	if found := d.forms[key]; found != 0 {
		return found, nil
	}
	if err := d.grow("schema", key.schema, 1024*1024); err != nil {
		return 0, err
	}
	id := uint32(len(d.forms) + 1)
	d.forms[key] = id
	said := &pb.FormDef{Id: id, Encoding: key.encoding}
	if key.isTyped {
		said.Schema = &key.schema
	}
	d.write(&pb.SourceTaskMessage{Kind: &pb.SourceTaskMessage_Form{Form: said}})
	return id, nil
}

// typedKey says how values of a schema are sent.
func (d *outDefinitions) typedKey(schema *Schema) (formKey, error) {
	if found, ok := d.typed[schema]; ok {
		return found, nil
	}
	text, err := schemaText(schema)
	if err != nil {
		return formKey{}, err
	}
	encoding := encodeJSON
	if schema.Type == "string" {
		encoding = encodeText
	} else if schema.Type == "bytes" && schema.Name != decimalName {
		encoding = encodeBytes
	}
	key := formKey{encoding, text, true}
	if len(d.typed) > idMax {
		// I5: schemas made anew for every record find their form by their text.
		clear(d.typed)
	}
	d.typed[schema] = key
	return key, nil
}

func (d *outDefinitions) grow(what, text string, bytesMax int) error {
	if len(text) > bytesMax {
		return DataError("a %s has %d bytes; the limit is %d", what, len(text), bytesMax)
	}
	if !utf8.ValidString(text) {
		return DataError("a %s is not UTF-8: %q", what, text)
	}
	d.liveBytes += len(text) + 16
	most := max(len(d.topics), len(d.names), len(d.partitions), len(d.forms))
	// A record may define a form and a name for each of its headers.
	d.full = d.liveBytes > liveBytesMax || most > idMax-2_100
	return nil
}

// inForm says how a value of a batch is to be read.
type inForm struct {
	// 0 = it has not been defined.
	encoding pb.Encoding
	schema   *Schema
	// The schema's text as it came.
	text string
}

// inDefinitions are what the ids of a sink stream mean. Replaced as a whole after a Forget, and copied
// when they grow, so that a batch keeps its own.
type inDefinitions struct {
	topics []string
	names  []string
	forms  []inForm
}

func newInDefinitions() *inDefinitions {
	return &inDefinitions{topics: []string{""}, names: []string{""}, forms: []inForm{{encoding: encodeBytes}}}
}

func (d *inDefinitions) topic(said *pb.TopicDef) {
	d.topics = defined(d.topics, said.Id, said.Topic, "topic")
}

func (d *inDefinitions) name(said *pb.NameDef) {
	d.names = defined(d.names, said.Id, said.Name, "name")
}

func (d *inDefinitions) form(said *pb.FormDef) {
	if said.Encoding < encodeBytes || said.Encoding > encodeJSON {
		panic(breach("form %d has the unknown encoding %d", said.Id, said.Encoding))
	}
	form := inForm{encoding: said.Encoding}
	if said.Schema != nil {
		schema, err := ParseSchema(*said.Schema)
		if err != nil {
			panic(breach("form %d: %v", said.Id, err))
		}
		form.schema, form.text = schema, *said.Schema
	}
	d.forms = defined(d.forms, said.Id, form, "form")
}

// defined puts an entry at its id. Slices that a batch holds are never written to where it looks.
func defined[T any](list []T, id uint32, entry T, what string) []T {
	if id == 0 || id > idMax || int(id) < len(list) {
		panic(breach("%s id %d does not rise", what, id))
	}
	for len(list) < int(id) {
		var none T
		list = append(list, none)
	}
	return append(list, entry)
}
