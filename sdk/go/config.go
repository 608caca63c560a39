package bulkhead

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Secret is a password: prints as [hidden] wherever it goes.
type Secret struct{ text string }

// Reveal gives the text.
func (s Secret) Reveal() string { return s.text }

func (s Secret) String() string   { return "[hidden]" }
func (s Secret) GoString() string { return "[hidden]" }

// MarshalJSON refuses: a secret is not written down.
func (s Secret) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a secret is not written down")
}

var _ json.Marshaler = Secret{}

// configKey is one declared key: a field of a config struct. Its tags are what the host can check
// without starting the plugin:
//
//	key:"batch.size"    as configs spell it; else the field's name, BatchSize as batch.size
//	default:"2000"      a key without is required, unless its field is a pointer or optional:"true"
//	doc:"…"             what it means
//	min:"1" max:"9"     for numbers
//	oneof:"fast,safe"   for texts; fold:"true" = in any case
//	nonempty:"true"     for texts
//	pattern:"[a-z]+"    for texts
//	importance:"low"    high unless said; besides group, order, width, display, dependents
//	type:"INT"          other than what follows from the field's type
type configKey struct {
	name       string
	field      int
	kind       string
	required   bool
	hasDefault bool
	fallback   string
	doc        string
	importance string
	group      string
	order      int
	width      string
	display    string
	dependents []string
	min, max   *bound
	oneOf      []string
	fold       bool
	nonEmpty   bool
	pattern    string
	hasPattern bool
}

// bound of a range, with the text that error messages have.
type bound struct {
	value float64
	text  string
}

func keysOf(config reflect.Type) ([]configKey, error) {
	if config.Kind() != reflect.Struct {
		return nil, ConfigError("%v is no struct: the fields of a config struct are its keys", config)
	}
	var keys []configKey
	for at := range config.NumField() {
		field := config.Field(at)
		if !field.IsExported() || field.Tag.Get("key") == "-" {
			continue
		}
		key, err := keyOf(field, at)
		if err != nil {
			return nil, ConfigError("%v.%s: %w", config, field.Name, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func keyOf(field reflect.StructField, at int) (configKey, error) {
	tag := field.Tag
	key := configKey{
		name: tag.Get("key"), field: at, kind: tag.Get("type"), doc: tag.Get("doc"),
		importance: strings.ToUpper(orElse(tag.Get("importance"), "high")), group: tag.Get("group"), order: -1,
		width: strings.ToUpper(orElse(tag.Get("width"), "none")), display: tag.Get("display"),
		fold: tag.Get("fold") == "true", nonEmpty: tag.Get("nonempty") == "true",
	}
	if key.name == "" {
		key.name = dotted(field.Name)
	}
	of, isPointer := field.Type, field.Type.Kind() == reflect.Pointer
	if isPointer {
		of = of.Elem()
	}
	if key.kind == "" {
		if key.kind = kindOf(of); key.kind == "" {
			return key, errors.New("a key is a string, bool, number, []string, Secret or time.Duration (in milliseconds), or a pointer to one of these")
		}
	}
	key.fallback, key.hasDefault = tag.Lookup("default")
	if key.kind == "PASSWORD" && key.hasDefault {
		return key, errors.New("a password has no default")
	}
	key.pattern, key.hasPattern = tag.Lookup("pattern")
	key.required = !key.hasDefault && !isPointer && tag.Get("optional") != "true"
	if text := tag.Get("oneof"); text != "" {
		key.oneOf = strings.Split(text, ",")
	}
	if text := tag.Get("dependents"); text != "" {
		key.dependents = strings.Split(text, ",")
	}
	if text := tag.Get("order"); text != "" {
		order, err := strconv.Atoi(text)
		if err != nil {
			return key, err
		}
		key.order = order
	}
	var err error
	if key.min, err = boundOf(tag.Get("min")); err == nil {
		key.max, err = boundOf(tag.Get("max"))
	}
	if err == nil && key.hasDefault {
		if parsed := parseKey(&key, nil); len(parsed.errors) > 0 {
			err = errors.New(parsed.errors[0])
		}
	}
	return key, err
}

func boundOf(text string) (*bound, error) {
	if text == "" {
		return nil, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	return &bound{value, text}, err
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// dotted: BatchSize is batch.size, URL is url.
func dotted(name string) string {
	var made strings.Builder
	runes := []rune(name)
	for at, one := range runes {
		if unicode.IsUpper(one) && at > 0 &&
			(!unicode.IsUpper(runes[at-1]) || (at+1 < len(runes) && unicode.IsLower(runes[at+1]))) {
			made.WriteByte('.')
		}
		made.WriteRune(unicode.ToLower(one))
	}
	return made.String()
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
)

func kindOf(of reflect.Type) string {
	switch {
	case of == secretType:
		return "PASSWORD"
	case of == durationType:
		return "LONG"
	}
	switch of.Kind() {
	case reflect.String:
		return "STRING"
	case reflect.Bool:
		return "BOOLEAN"
	case reflect.Int, reflect.Int64:
		return "LONG"
	case reflect.Int32:
		return "INT"
	case reflect.Int16:
		return "SHORT"
	case reflect.Float64:
		return "DOUBLE"
	case reflect.Slice:
		if of.Elem().Kind() == reflect.String {
			return "LIST"
		}
	}
	return ""
}

// fillConfig reads a config into its struct. The error has all problems.
func fillConfig(config any, keys []configKey, texts map[string]string) error {
	parsed := parseKeys(keys, texts)
	var problems []string
	for at := range parsed {
		problems = append(problems, parsed[at].errors...)
	}
	if len(problems) > 0 {
		return ConfigError("%s", strings.Join(problems, "; "))
	}
	storeParsed(config, parsed)
	return nil
}

// storeParsed leaves fields without a value at their zero.
func storeParsed(config any, parsed []parsedKey) {
	into := reflect.ValueOf(config).Elem()
	for at := range parsed {
		one := &parsed[at]
		if one.value == nil {
			continue
		}
		field := into.Field(one.key.field)
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		if field.Type() == durationType {
			field.SetInt(one.value.(int64) * int64(time.Millisecond))
			continue
		}
		field.Set(reflect.ValueOf(one.value).Convert(field.Type()))
	}
}
