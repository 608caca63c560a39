package bulkhead

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// From the texts of a config to its values, with the error messages of Kafka Connect's ConfigDef.

type parsedKey struct {
	key *configKey
	// nil where nothing was given and there is no default, or where parsing failed.
	value any
	// As Kafka Connect prints it; nil = none.
	text   *string
	errors []string
}

func parseKeys(keys []configKey, given map[string]string) []parsedKey {
	parsed := make([]parsedKey, len(keys))
	for at := range keys {
		var text *string
		if said, ok := given[keys[at].name]; ok {
			text = &said
		}
		parsed[at] = parseKey(&keys[at], text)
	}
	return parsed
}

func parseKey(key *configKey, given *string) parsedKey {
	if given == nil && key.hasDefault {
		given = &key.fallback
	}
	if given == nil {
		if !key.required {
			return parsedKey{key: key}
		}
		missing := fmt.Sprintf("Missing required configuration %q which has no default value.", key.name)
		return parsedKey{key: key, errors: append([]string{missing}, checkNull(key)...)}
	}
	value, ok := parseText(key.kind, *given)
	if !ok {
		expected := "Not a number of type " + key.kind
		if key.kind == "BOOLEAN" {
			expected = "Expected value to be either true or false"
		}
		return parsedKey{key: key, errors: append([]string{invalid(key, *given, expected)}, checkNull(key)...)}
	}
	text := textOfValue(value)
	if broken := checkValue(key, value, text); broken != "" {
		return parsedKey{key: key, text: &text, errors: []string{invalid(key, text, broken)}}
	}
	return parsedKey{key: key, value: value, text: &text}
}

func invalid(key *configKey, value, reason string) string {
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", value, key.name, reason)
}

// checkNull: Connect's validators still run after a failed parse, on null.
func checkNull(key *configKey) []string {
	switch {
	case key.min != nil || key.max != nil:
		return []string{invalid(key, "null", "Value must be non-null")}
	case len(key.oneOf) > 0:
		return []string{invalid(key, "null", oneOfReason(key))}
	}
	return nil
}

var (
	doublePattern = regexp.MustCompile(`^[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)$`)
	commas        = regexp.MustCompile(`\s*,\s*`)
	integerSizes  = map[string]int{"SHORT": 16, "INT": 32, "LONG": 64}
)

func parseText(kind, text string) (any, bool) {
	trimmed := strings.TrimSpace(text)
	switch kind {
	case "BOOLEAN":
		lower := strings.ToLower(trimmed)
		return lower == "true", lower == "true" || lower == "false"
	case "SHORT", "INT", "LONG":
		number, err := strconv.ParseInt(trimmed, 10, integerSizes[kind])
		return number, err == nil
	case "DOUBLE":
		if !doublePattern.MatchString(trimmed) {
			return nil, false
		}
		if last := trimmed[len(trimmed)-1]; last != 'y' && last != 'N' {
			trimmed = strings.TrimRight(trimmed, "fFdD")
		}
		// Out of range is infinite, as in Java.
		number, _ := strconv.ParseFloat(trimmed, 64)
		return number, true
	case "LIST":
		if trimmed == "" {
			return []string{}, true
		}
		return commas.Split(trimmed, -1), true
	case "PASSWORD":
		return Secret{text}, true
	}
	return trimmed, true
}

func textOfValue(value any) string {
	switch one := value.(type) {
	case float64:
		return javaDouble(one)
	case []string:
		return strings.Join(one, ",")
	}
	return fmt.Sprint(value)
}

// checkValue says what is wrong with a value; "" = nothing.
func checkValue(key *configKey, value any, text string) string {
	number, isNumber := value.(float64)
	if whole, ok := value.(int64); ok {
		number, isNumber = float64(whole), true
	}
	switch {
	case isNumber && key.min != nil && !(number >= key.min.value):
		return "Value must be at least " + key.min.text
	case isNumber && key.max != nil && !(number <= key.max.value):
		return "Value must be no more than " + key.max.text
	case len(key.oneOf) > 0 && !isOneOf(key, text):
		return oneOfReason(key)
	case key.nonEmpty && text == "":
		return "String must be non-empty"
	case key.hasPattern:
		if matched, err := regexp.MatchString("^(?:"+key.pattern+")$", text); err != nil || !matched {
			return "String must match pattern " + key.pattern
		}
	}
	return ""
}

func isOneOf(key *configKey, text string) bool {
	for _, one := range key.oneOf {
		if one == text || key.fold && strings.EqualFold(one, text) {
			return true
		}
	}
	return false
}

func oneOfReason(key *configKey) string {
	folds := ""
	if key.fold {
		folds = " (case insensitive)"
	}
	return "String must be one of" + folds + ": " + strings.Join(key.oneOf, ", ")
}
