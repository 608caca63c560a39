package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	// A host that does not read gets no pile of heartbeats and logs.
	backlogMax   = 100
	shutdownTime = time.Second
)

// Version of this SDK.
const Version = "0.1.0"

// session is the one stream to the host, open for the plugin's whole life; never dialled again.
type session struct {
	plugin     *Plugin
	launch     *launch
	connection *connection
	stream     wire
	logs       *logBuffer
	calls      *hostCalls
	connectors *connectorCalls

	// Done when the session has ended.
	ctx context.Context
	end context.CancelCauseFunc

	lock     sync.Mutex
	requests map[uint64]*openRequest
	// Requests of one connector run in order: those that wait, behind the one that runs.
	turns map[string][]*openRequest
	tasks map[*task]struct{}
	// By the host's ids; those that are closing too.
	stages   map[string]*runningStage
	shutdown string
	expected bool
}

// openRequest has no reply yet.
type openRequest struct {
	request *pb.Request
	ctx     context.Context
	cancel  context.CancelFunc
	replied bool
	// Gives up what is being opened.
	giveUp func()
}

func newSession(plugin *Plugin, said *launch, logs *logBuffer) (*session, error) {
	ctx, end := context.WithCancelCause(context.Background())
	made := &session{
		plugin: plugin, launch: said, logs: logs, ctx: ctx, end: end,
		requests: map[uint64]*openRequest{}, turns: map[string][]*openRequest{}, tasks: map[*task]struct{}{}, stages: map[string]*runningStage{},
	}
	made.connection = newConnection(said)
	stream, err := made.connection.stream("Session", "")
	if err != nil {
		return nil, err
	}
	made.stream = stream
	made.calls = newHostCalls(func(call *pb.Call) {
		stream.write(&pb.PluginMessage{Kind: &pb.PluginMessage_Call{Call: call}})
	})
	made.connectors = newConnectorCalls(plugin, made.calls, func(event *pb.Event) {
		stream.write(&pb.PluginMessage{Kind: &pb.PluginMessage_Event{Event: event}})
	})
	return made, nil
}

func (s *session) open() error {
	hello := &pb.Hello{
		Token: s.launch.Token, ProtocolMin: protocolVersion, ProtocolMax: protocolVersion,
		Sdk:          &pb.Sdk{Language: "go", Name: "bulkhead-sdk", Version: Version},
		Plugin:       &pb.PluginInfo{Name: s.plugin.Name, Version: s.plugin.version()},
		Capabilities: []string{"canonical_json", "stages"},
		Pid:          uint32(os.Getpid()),
	}
	for _, class := range s.plugin.Classes {
		hello.Plugin.Classes = append(hello.Plugin.Classes, class.name)
	}
	return s.stream.open(
		&pb.PluginMessage{Kind: &pb.PluginMessage_Hello{Hello: hello}},
		func() proto.Message { return &pb.HostMessage{} },
		func(message proto.Message) { s.onMessage(message.(*pb.HostMessage)) },
		func(reason string) { s.over(reason, false) },
	)
}

// over: no further user call; what runs is told.
func (s *session) over(reason string, expected bool) {
	s.lock.Lock()
	if s.ctx.Err() != nil {
		s.lock.Unlock()
		return
	}
	if s.shutdown != "" {
		reason, expected = s.shutdown, true
	}
	s.expected = expected
	s.end(errors.New(reason))
	tasks := make([]*task, 0, len(s.tasks))
	for one := range s.tasks {
		tasks = append(tasks, one)
	}
	stages := slices.Collect(maps.Values(s.stages))
	s.lock.Unlock()
	for _, one := range tasks {
		one.abandon(reason)
	}
	for _, one := range stages {
		one.abandon(reason)
	}
	s.calls.close(reason)
	s.stream.cancel()
}

// settle waits until no user code of a task runs any more.
func (s *session) settle(most time.Duration) {
	limit := time.After(most)
	var running []chan struct{}
	s.lock.Lock()
	for one := range s.tasks {
		running = append(running, one.done)
	}
	for _, one := range s.stages {
		running = append(running, one.done)
	}
	s.lock.Unlock()
	for _, done := range running {
		select {
		case <-done:
		case <-limit:
			return
		}
	}
}

func (s *session) onMessage(said *pb.HostMessage) {
	switch kind := said.Kind.(type) {
	case *pb.HostMessage_Request:
		s.onRequest(kind.Request)
	case *pb.HostMessage_Cancel:
		s.lock.Lock()
		one := s.requests[kind.Cancel.RequestId]
		s.lock.Unlock()
		s.cancel(one)
	case *pb.HostMessage_Answer:
		s.calls.answer(kind.Answer)
	case *pb.HostMessage_Welcome:
		s.onWelcome(kind.Welcome)
	case *pb.HostMessage_SetLogLevel:
		s.logs.setLevel(kind.SetLogLevel)
	case *pb.HostMessage_Shutdown:
		s.onShutdown(kind.Shutdown)
	case *pb.HostMessage_Reject:
		s.over(fmt.Sprintf("the host rejected this plugin: %s (%s)", kind.Reject.Text, kind.Reject.Code), false)
	}
}

func (s *session) onWelcome(welcome *pb.Welcome) {
	for _, level := range welcome.LogLevels {
		s.logs.setLevel(level)
	}
	s.logs.connect(s.ctx, s.sendLog)
	if welcome.HeartbeatIntervalMs > 0 {
		go s.beat(time.Duration(welcome.HeartbeatIntervalMs) * time.Millisecond)
	}
}

func (s *session) sendLog(batch *pb.LogBatch) bool {
	if s.ctx.Err() != nil || s.stream.backlog() > backlogMax {
		return false
	}
	s.stream.write(&pb.PluginMessage{Kind: &pb.PluginMessage_LogBatch{LogBatch: batch}})
	return true
}

func (s *session) beat(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for seq := uint64(1); ; seq++ {
		if s.stream.backlog() <= backlogMax {
			beat := &pb.Heartbeat{Seq: seq}
			beat.RssBytes, beat.CpuMs = processCost()
			s.lock.Lock()
			for one := range s.tasks {
				beat.Tasks = append(beat.Tasks, one.meter.heartbeat())
			}
			s.lock.Unlock()
			s.stream.write(&pb.PluginMessage{Kind: &pb.PluginMessage_Heartbeat{Heartbeat: beat}})
			s.plugin.metrics.send(s.stream.write)
		}
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *session) onRequest(request *pb.Request) {
	one := &openRequest{request: request}
	one.ctx, one.cancel = context.WithCancel(about(s.ctx, request.Connector, nil))
	s.lock.Lock()
	if s.ctx.Err() != nil {
		s.lock.Unlock()
		return
	}
	s.requests[request.Id] = one
	if atOnce := s.servedAtOnce(one); atOnce != nil {
		s.lock.Unlock()
		go atOnce()
		return
	}
	var cancelled []*openRequest
	if request.GetStopConnector() != nil {
		// A stop does not wait for what runs before it.
		for _, other := range s.requests {
			if other != one && other.request.Connector == request.Connector && s.servedAtOnce(other) == nil {
				cancelled = append(cancelled, other)
			}
		}
	}
	s.lock.Unlock()
	for _, other := range cancelled {
		s.cancel(other)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.turns[request.Connector] = append(s.turns[request.Connector], one)
	if len(s.turns[request.Connector]) == 1 {
		go s.serve(one)
	}
}

// servedAtOnce is what does not wait for its turn; nil for the rest.
func (s *session) servedAtOnce(one *openRequest) func() {
	switch kind := one.request.Kind.(type) {
	case *pb.Request_StartTask:
		return func() { s.startTask(one, kind.StartTask) }
	case *pb.Request_OpenStage:
		return func() { s.openStage(one, kind.OpenStage) }
	case *pb.Request_CloseStage:
		return func() { s.closeStage(one, kind.CloseStage.StageId) }
	}
	return nil
}

// cancel replies at once; what waits behind it goes on, though its user code may not have returned.
func (s *session) cancel(one *openRequest) {
	if one == nil {
		return
	}
	one.cancel()
	s.lock.Lock()
	giveUp := one.giveUp
	s.lock.Unlock()
	if giveUp != nil {
		giveUp()
	}
	s.reply(one, &pb.Reply{Kind: &pb.Reply_Failure{Failure: &pb.Failure{
		Code:         pb.FailureCode_FAILURE_CODE_CANCELLED,
		FailureClass: pb.FailureClass_FAILURE_CLASS_FATAL, Text: "the request was cancelled"}}})
	s.next(one)
}

// next lets the request behind this one run, once.
func (s *session) next(one *openRequest) {
	s.lock.Lock()
	defer s.lock.Unlock()
	name := one.request.Connector
	waiting := s.turns[name]
	for at, other := range waiting {
		if other != one {
			continue
		}
		waiting = append(append([]*openRequest(nil), waiting[:at]...), waiting[at+1:]...)
		s.turns[name] = waiting
		if at == 0 && len(waiting) > 0 {
			go s.serve(waiting[0])
		}
		break
	}
	if len(waiting) == 0 {
		delete(s.turns, name)
	}
}

func (s *session) serve(one *openRequest) {
	finished := false
	defer func() {
		if !finished {
			s.reply(one, &pb.Reply{Kind: &pb.Reply_Failure{Failure: toFailure(errGoexit)}})
		}
		one.cancel()
		s.next(one)
	}()
	if one.ctx.Err() == nil {
		reply, err := s.connectors.serve(one.ctx, one.request)
		if err != nil {
			reply = &pb.Reply{Kind: &pb.Reply_Failure{Failure: toFailure(err)}}
		}
		s.reply(one, reply)
	}
	finished = true
}

// reply: exactly one.
func (s *session) reply(one *openRequest, reply *pb.Reply) {
	s.lock.Lock()
	if one.replied {
		s.lock.Unlock()
		return
	}
	one.replied = true
	delete(s.requests, one.request.Id)
	s.lock.Unlock()
	reply.Id = one.request.Id
	s.stream.write(&pb.PluginMessage{Kind: &pb.PluginMessage_Reply{Reply: reply}})
}

func (s *session) startTask(one *openRequest, asked *pb.StartTaskRequest) {
	made, err := s.newTask(one, asked)
	if err == nil {
		made.run()
		<-made.opened
		err = made.refused
	}
	if err != nil {
		s.reply(one, &pb.Reply{Kind: &pb.Reply_Failure{Failure: toFailure(err)}})
	} else {
		s.reply(one, &pb.Reply{Kind: &pb.Reply_StartTask{StartTask: &pb.StartTaskResult{}}})
	}
	if made != nil {
		<-made.done
		s.lock.Lock()
		delete(s.tasks, made)
		s.lock.Unlock()
	}
}

func (s *session) newTask(one *openRequest, asked *pb.StartTaskRequest) (*task, error) {
	class, err := s.plugin.connectorClass(asked.ClassName)
	if err != nil {
		return nil, err
	}
	method := "SourceTask"
	if class.kind == pb.PluginKind_PLUGIN_KIND_SINK {
		method = "SinkTask"
	}
	stream, err := s.connection.stream(method, asked.StreamAddress)
	if err != nil {
		return nil, err
	}
	connector, number := one.request.Connector, asked.Task
	host := &taskHost{
		connector: connector, request: asked, maxMessageBytes: s.launch.MaxMessageBytes,
		stream: stream, clock: realClock{}, ctx: about(s.ctx, connector, &number),
		offsets: func(ctx context.Context, partitions []Object) ([]Object, error) {
			return s.calls.offsets(ctx, connector, &number, partitions)
		},
		log: slog.New(&logHandler{buffer: s.logs, logger: class.name, about: subject{connector, &number}}),
	}
	made := newTask(host, class)
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.ctx.Err() != nil || one.replied {
		return nil, errors.New("the start was cancelled")
	}
	s.tasks[made] = struct{}{}
	one.giveUp = func() { made.cutOff("the start was cancelled") }
	return made, nil
}

func (s *session) onShutdown(said *pb.Shutdown) {
	s.lock.Lock()
	s.shutdown = said.Reason
	if s.shutdown == "" {
		s.shutdown = "the host shut the plugin down"
	}
	s.lock.Unlock()
	s.logs.flush(s.sendLog)
	s.stream.write(&pb.PluginMessage{Kind: &pb.PluginMessage_ShutdownAck{ShutdownAck: &pb.ShutdownAck{}}})
	s.stream.finish()
	// The host closes its side; whether or not it does, the end comes.
	time.AfterFunc(shutdownTime, func() { s.over("", true) })
}
