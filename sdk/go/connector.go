package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"maps"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// Connector is what the functions of a connector see: they run on an instance of its task's struct whose
// Config is read, but which is never started.
type Connector struct {
	// Name of the connector.
	Name string
	// Texts is its whole config.
	Texts map[string]string
	// TasksMax is how many tasks there may be; Previous what ran before. In TaskConfigs only.
	TasksMax int
	Previous []map[string]string

	calls       *hostCalls
	reconfigure func()
}

// Offsets gives the committed offsets of source partitions, in the order asked; nil = none.
func (c *Connector) Offsets(ctx context.Context, partitions []Object) ([]Object, error) {
	return c.calls.offsets(ctx, c.Name, nil, partitions)
}

// RequestTaskReconfiguration asks for TaskConfigs to be called again.
func (c *Connector) RequestTaskReconfiguration() { c.reconfigure() }

// Splitter splits the work: at most TasksMax configs. Without it a source has one task, a sink as many
// as allowed, and each has the connector's config.
type Splitter interface {
	TaskConfigs(ctx context.Context, connector *Connector) ([]map[string]string, error)
}

// Validator checks configs beyond what their keys say.
type Validator interface {
	Validate(ctx context.Context, check *Check) error
}

// Monitor runs once beside the tasks, until ctx is done. An error fails the connector.
type Monitor interface {
	Monitor(ctx context.Context, connector *Connector) error
}

// Check is one validation.
type Check struct {
	Texts map[string]string
	// Live: the external system may be asked.
	Live bool

	warnings []string
	values   map[string]*pb.ConfigValue
}

// Error says what is wrong with a key.
func (c *Check) Error(key, format string, args ...any) {
	if one := c.values[key]; one != nil {
		one.Errors = append(one.Errors, clean(fmt.Sprintf(format, args...)))
	}
}

// Recommend names values for a key.
func (c *Check) Recommend(key string, values ...string) {
	if one := c.values[key]; one != nil {
		one.RecommendedValues = values
	}
}

// Visible says whether a key matters in this config.
func (c *Check) Visible(key string, visible bool) {
	if one := c.values[key]; one != nil {
		one.Visible = visible
	}
}

// Warn says something that is not an error.
func (c *Check) Warn(format string, args ...any) {
	c.warnings = append(c.warnings, clean(fmt.Sprintf(format, args...)))
}

// connectorInstance is a Connector instance: a class with its config, and the monitor beside the tasks.
type connectorInstance struct {
	class  *Class
	texts  map[string]string
	cancel context.CancelFunc
	done   chan struct{}
}

// connectorCalls serves the connector calls of a session: everything but tasks.
type connectorCalls struct {
	plugin    *Plugin
	calls     *hostCalls
	event     func(*pb.Event)
	instances lockedMap[*connectorInstance]
}

func newConnectorCalls(plugin *Plugin, calls *hostCalls, event func(*pb.Event)) *connectorCalls {
	return &connectorCalls{plugin: plugin, calls: calls, event: event}
}

func (c *connectorCalls) serve(ctx context.Context, request *pb.Request) (*pb.Reply, error) {
	switch kind := request.Kind.(type) {
	case *pb.Request_Describe:
		described := &pb.DescribeResult{}
		for at := range c.plugin.Classes {
			if name := kind.Describe.ClassName; name == "" || name == c.plugin.Classes[at].name {
				described.Classes = append(described.Classes, describeClass(c.plugin, &c.plugin.Classes[at]))
			}
		}
		return &pb.Reply{Kind: &pb.Reply_Describe{Describe: described}}, nil
	case *pb.Request_Validate:
		result, err := c.validate(ctx, kind.Validate)
		return &pb.Reply{Kind: &pb.Reply_Validate{Validate: result}}, err
	case *pb.Request_StartConnector:
		err := c.start(ctx, request.Connector, kind.StartConnector)
		return &pb.Reply{Kind: &pb.Reply_StartConnector{StartConnector: &pb.StartConnectorResult{}}}, err
	case *pb.Request_StopConnector:
		c.stop(request.Connector)
		return &pb.Reply{Kind: &pb.Reply_StopConnector{StopConnector: &pb.StopConnectorResult{}}}, nil
	case *pb.Request_TaskConfigs:
		result, err := c.taskConfigs(ctx, request.Connector, kind.TaskConfigs)
		return &pb.Reply{Kind: &pb.Reply_TaskConfigs{TaskConfigs: result}}, err
	case *pb.Request_AlterOffsets:
		// The host keeps the offsets.
		return &pb.Reply{Kind: &pb.Reply_AlterOffsets{AlterOffsets: &pb.AlterOffsetsResult{
			Answer: pb.AlterOffsetsAnswer_ALTER_OFFSETS_ANSWER_NOT_DONE}}}, nil
	case *pb.Request_ExactlyOnceSupport:
		class, err := c.plugin.class(kind.ExactlyOnceSupport.ClassName)
		if err != nil {
			return nil, err
		}
		return &pb.Reply{Kind: &pb.Reply_ExactlyOnceSupport{ExactlyOnceSupport: &pb.ExactlyOnceSupportResult{
			Support: supportOf(class.options.exactlyOnce)}}}, nil
	case *pb.Request_CanDefineTransactionBoundaries:
		return &pb.Reply{Kind: &pb.Reply_CanDefineTransactionBoundaries{
			CanDefineTransactionBoundaries: &pb.CanDefineTransactionBoundariesResult{
				Support: pb.Support_SUPPORT_UNSUPPORTED}}}, nil
	}
	return nil, Unsupported("this plugin does not serve %T", request.Kind)
}

func supportOf(said *bool) pb.Support {
	switch {
	case said == nil:
		return pb.Support_SUPPORT_NOT_SAID
	case *said:
		return pb.Support_SUPPORT_SUPPORTED
	}
	return pb.Support_SUPPORT_UNSUPPORTED
}

func (c *connectorCalls) start(ctx context.Context, name string, asked *pb.StartConnectorRequest) error {
	class, err := c.plugin.connectorClass(asked.ClassName)
	if err != nil {
		return err
	}
	c.stop(name)
	instance, err := configured(class, asked.Config)
	if err != nil {
		return err
	}
	// It lives longer than the request; it ends with the session's user code.
	running, cancel := context.WithCancel(about(context.WithoutCancel(ctx), name, nil))
	made := &connectorInstance{class: class, texts: asked.Config, cancel: cancel, done: make(chan struct{})}
	c.instances.set(name, made)
	monitor, ok := instance.(Monitor)
	if !ok {
		close(made.done)
		return nil
	}
	go func() {
		defer close(made.done)
		err := errGoexit
		defer func() {
			if err != nil && running.Err() == nil {
				c.event(&pb.Event{Connector: name, Kind: &pb.Event_RaiseError{RaiseError: &pb.RaiseError{Failure: toFailure(err)}}})
			}
		}()
		err = callUser(instance, "Monitor", func() error { return monitor.Monitor(running, c.connector(name, made)) })
	}()
	return nil
}

func (c *connectorCalls) stop(name string) {
	if found := c.instances.take(name); found != nil {
		found.cancel()
		<-found.done
	}
}

func (c *connectorCalls) connector(name string, made *connectorInstance) *Connector {
	return &Connector{Name: name, Texts: made.texts, calls: c.calls, reconfigure: func() {
		c.event(&pb.Event{Connector: name, Kind: &pb.Event_RequestTaskReconfiguration{
			RequestTaskReconfiguration: &pb.RequestTaskReconfiguration{}}})
	}}
}

// configured is an instance whose config is read.
func configured(class *Class, texts map[string]string) (taskInstance, error) {
	instance := class.newTask()
	instance.base().Texts = maps.Clone(texts)
	return instance, fillConfig(instance.config(), class.keys, texts)
}

func (c *connectorCalls) taskConfigs(ctx context.Context, name string, asked *pb.TaskConfigsRequest) (*pb.TaskConfigsResult, error) {
	made := c.instances.get(name)
	if made == nil {
		return nil, fmt.Errorf("cannot make task configs: connector %s does not run here", name)
	}
	instance, err := configured(made.class, made.texts)
	if err != nil {
		return nil, err
	}
	var configs []map[string]string
	if splitter, ok := instance.(Splitter); ok {
		connector := c.connector(name, made)
		connector.TasksMax = int(asked.TasksMax)
		for _, one := range asked.Previous {
			connector.Previous = append(connector.Previous, one.Config)
		}
		err := callUser(instance, "TaskConfigs", func() (err error) {
			configs, err = splitter.TaskConfigs(ctx, connector)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(configs) > connector.TasksMax {
			return nil, fmt.Errorf("TaskConfigs of %s gave %d configs; tasks.max is %d", made.class.name, len(configs), connector.TasksMax)
		}
	} else {
		count := 1
		if made.class.kind == pb.PluginKind_PLUGIN_KIND_SINK {
			count = int(asked.TasksMax)
		}
		for range count {
			configs = append(configs, made.texts)
		}
	}
	result := &pb.TaskConfigsResult{TaskClass: made.class.taskClass()}
	for _, one := range configs {
		result.Configs = append(result.Configs, &pb.TaskConfig{Config: one})
	}
	return result, nil
}

func (c *connectorCalls) validate(ctx context.Context, asked *pb.ValidateRequest) (*pb.ValidateResult, error) {
	class, err := c.plugin.class(asked.ClassName)
	if err != nil {
		return nil, err
	}
	check := &Check{Texts: asked.Config, Live: asked.Mode == pb.ValidateMode_VALIDATE_MODE_LIVE, values: map[string]*pb.ConfigValue{}}
	result := &pb.ValidateResult{}
	instance := class.newTask()
	parsed := parseKeys(class.keys, asked.Config)
	for at := range parsed {
		one := &parsed[at]
		value := &pb.ConfigValue{Name: one.key.name, Value: one.text, Errors: one.errors, Visible: true}
		result.Values = append(result.Values, value)
		check.values[one.key.name] = value
		if one.key.group != "" && !contains(result.Groups, one.key.group) {
			result.Groups = append(result.Groups, one.key.group)
		}
	}
	storeParsed(instance.config(), parsed)
	if validator, ok := instance.(Validator); ok {
		err := callUser(instance, "Validate", func() error { return validator.Validate(ctx, check) })
		if err != nil {
			if errors.Is(err, context.Canceled) && ctx.Err() != nil {
				return nil, err
			}
			result.Failure = toFailure(err)
		}
	}
	result.Warnings = check.warnings
	return result, nil
}

func contains(list []string, wanted string) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}
