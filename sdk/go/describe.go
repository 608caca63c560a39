package bulkhead

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// What the host is told of a plugin's classes: on the wire, in plugin.json, and as a page to read.

func (c *Class) taskClass() string {
	if c.options.taskClass != "" {
		return c.options.taskClass
	}
	return c.name + "Task"
}

func (c *Class) kindName() string {
	return strings.ToLower(strings.TrimPrefix(c.kind.String(), "PLUGIN_KIND_"))
}

// isStage: a transform, predicate or converter.
func (c *Class) isStage() bool {
	return c.kind != pb.PluginKind_PLUGIN_KIND_SOURCE && c.kind != pb.PluginKind_PLUGIN_KIND_SINK
}

func (c *Class) validates() bool {
	_, ok := c.newTask().(Validator)
	return ok
}

func describeClass(plugin *Plugin, class *Class) *pb.ClassDescription {
	said := &pb.ClassDescription{
		ClassName: class.name, Kind: class.kind, Version: orElse(class.options.version, plugin.version()),
		DocumentationUrl: class.options.documentation, Aliases: class.options.aliases,
		Validates: class.validates(),
	}
	if !class.isStage() {
		said.TaskClass = class.taskClass()
	}
	for at := range class.keys {
		said.Config = append(said.Config, describeKey(&class.keys[at]))
	}
	return said
}

func describeKey(key *configKey) *pb.ConfigKey {
	said := &pb.ConfigKey{
		Name: key.name, Type: pb.ConfigType(pb.ConfigType_value["CONFIG_TYPE_"+key.kind]), Required: key.required,
		Importance:    pb.Importance(pb.Importance_value["IMPORTANCE_"+key.importance]),
		Documentation: key.doc, Order: int32(key.order), Width: pb.Width(pb.Width_value["WIDTH_"+key.width]),
		DisplayName: orElse(key.display, key.name), Dependents: key.dependents,
	}
	if key.hasDefault {
		said.DefaultValue = &key.fallback
	}
	if key.group != "" {
		said.Group = &key.group
	}
	switch {
	case key.min != nil || key.max != nil:
		bounds := &pb.Validator_Range{}
		if key.min != nil {
			bounds.Min = &key.min.value
		}
		if key.max != nil {
			bounds.Max = &key.max.value
		}
		said.Validator = &pb.Validator{Kind: &pb.Validator_Range_{Range: bounds}}
	case len(key.oneOf) > 0:
		said.Validator = &pb.Validator{Kind: &pb.Validator_OneOf_{
			OneOf: &pb.Validator_OneOf{Values: key.oneOf, CaseInsensitive: key.fold}}}
	case key.nonEmpty:
		said.Validator = &pb.Validator{Kind: &pb.Validator_NonEmpty_{NonEmpty: &pb.Validator_NonEmpty{}}}
	case key.hasPattern:
		said.Validator = &pb.Validator{Kind: &pb.Validator_Pattern_{Pattern: &pb.Validator_Pattern{Regex: key.pattern}}}
	}
	return said
}

type manifest struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Command []string        `json:"command"`
	Classes []manifestClass `json:"classes"`
}

type manifestClass struct {
	Class            string        `json:"class"`
	Kind             string        `json:"kind"`
	Version          string        `json:"version,omitempty"`
	TaskClass        string        `json:"taskClass,omitempty"`
	Aliases          []string      `json:"aliases,omitempty"`
	DocumentationURL string        `json:"documentationUrl,omitempty"`
	Validates        bool          `json:"validates,omitempty"`
	Config           []manifestKey `json:"config"`
}

type manifestKey struct {
	Name          string             `json:"name"`
	Type          string             `json:"type"`
	Required      bool               `json:"required,omitempty"`
	Default       *json.RawMessage   `json:"default,omitempty"`
	Importance    string             `json:"importance"`
	Documentation string             `json:"documentation"`
	Group         string             `json:"group,omitempty"`
	Order         *int               `json:"order,omitempty"`
	Width         string             `json:"width,omitempty"`
	DisplayName   string             `json:"displayName,omitempty"`
	Dependents    []string           `json:"dependents,omitempty"`
	Validator     *manifestValidator `json:"validator,omitempty"`
}

type manifestValidator struct {
	At              string   `json:"at"`
	Min             *float64 `json:"min,omitempty"`
	Max             *float64 `json:"max,omitempty"`
	Values          []string `json:"values,omitempty"`
	CaseInsensitive bool     `json:"caseInsensitive,omitempty"`
	Regex           string   `json:"regex,omitempty"`
}

// manifestText is the text of plugin.json: what the host reads without starting the plugin.
func manifestText(plugin *Plugin, command []string) string {
	said := manifest{plugin.Name, plugin.version(), command, []manifestClass{}}
	for at := range plugin.Classes {
		class := &plugin.Classes[at]
		one := manifestClass{Class: class.name, Kind: class.kindName(),
			Version: class.options.version, Aliases: class.options.aliases,
			DocumentationURL: class.options.documentation, Validates: class.validates(), Config: []manifestKey{}}
		if !class.isStage() {
			one.TaskClass = class.taskClass()
		}
		for n := range class.keys {
			one.Config = append(one.Config, manifestKeyOf(&class.keys[n]))
		}
		said.Classes = append(said.Classes, one)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(said); err != nil {
		panic(err)
	}
	return text.String()
}

func manifestKeyOf(key *configKey) manifestKey {
	one := manifestKey{Name: key.name, Type: key.kind, Required: key.required, Importance: key.importance,
		Documentation: key.doc, Group: key.group, DisplayName: key.display, Dependents: key.dependents}
	if !key.required {
		text := json.RawMessage("null")
		if key.hasDefault {
			text, _ = json.Marshal(key.fallback)
		}
		one.Default = &text
	}
	if key.order != -1 {
		one.Order = &key.order
	}
	if key.width != "NONE" {
		one.Width = key.width
	}
	switch {
	case key.min != nil || key.max != nil:
		one.Validator = &manifestValidator{At: "range"}
		if key.min != nil {
			one.Validator.Min = &key.min.value
		}
		if key.max != nil {
			one.Validator.Max = &key.max.value
		}
	case len(key.oneOf) > 0:
		one.Validator = &manifestValidator{At: "one-of", Values: key.oneOf, CaseInsensitive: key.fold}
	case key.nonEmpty:
		one.Validator = &manifestValidator{At: "non-empty"}
	case key.hasPattern:
		one.Validator = &manifestValidator{At: "pattern", Regex: key.pattern}
	}
	return one
}

// docsText is the keys of every class as Markdown.
func docsText(plugin *Plugin) string {
	var page strings.Builder
	fmt.Fprintf(&page, "# %s %s\n", plugin.Name, plugin.version())
	for at := range plugin.Classes {
		class := &plugin.Classes[at]
		fmt.Fprintf(&page, "\n## %s\n\n%s\n", class.name, strings.TrimSpace("A "+class.kindName()+". "+class.options.doc))
		if len(class.keys) > 0 {
			page.WriteString("\n| key | type | default | meaning |\n|---|---|---|---|\n")
		}
		for n := range class.keys {
			key := &class.keys[n]
			fallback := ""
			if key.required {
				fallback = "required"
			} else if key.hasDefault {
				fallback = "`" + key.fallback + "`"
			}
			doc := strings.NewReplacer("|", "\\|", "\n", " ").Replace(key.doc)
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", key.name, strings.ToLower(key.kind), fallback, doc)
		}
	}
	return page.String()
}
