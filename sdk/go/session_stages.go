package bulkhead

import (
	"errors"
	"fmt"
	"log/slog"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

func (s *session) openStage(one *openRequest, asked *pb.OpenStageRequest) {
	made, err := s.newStage(one, asked)
	if err == nil {
		made.run()
		<-made.opened
		err = made.refused
	}
	if err != nil {
		s.reply(one, &pb.Reply{Kind: &pb.Reply_Failure{Failure: toFailure(err)}})
	} else {
		s.reply(one, &pb.Reply{Kind: &pb.Reply_OpenStage{OpenStage: &pb.OpenStageResult{}}})
	}
	if made != nil {
		<-made.done
		s.lock.Lock()
		delete(s.stages, asked.StageId)
		s.lock.Unlock()
	}
}

func (s *session) newStage(one *openRequest, asked *pb.OpenStageRequest) (*runningStage, error) {
	class, err := s.plugin.stageClass(asked.ClassName)
	if err != nil {
		return nil, err
	}
	stream, err := s.connection.stream("Stage", asked.StreamAddress)
	if err != nil {
		return nil, err
	}
	connector, number := one.request.Connector, asked.Task
	made := newRunningStage(&stageHost{
		connector: connector, request: asked, maxMessageBytes: s.launch.MaxMessageBytes,
		stream: stream, ctx: about(s.ctx, connector, &number),
		log: slog.New(&logHandler{buffer: s.logs, logger: class.name, about: subject{connector, &number}}),
	}, class)
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.ctx.Err() != nil || one.replied {
		return nil, errors.New("the opening was cancelled")
	}
	if s.stages[asked.StageId] != nil {
		return nil, fmt.Errorf("stage %s is open already", asked.StageId)
	}
	s.stages[asked.StageId] = made
	one.giveUp = func() { made.cutOff("the opening was cancelled") }
	return made, nil
}

// closeStage: one that is closed by itself already is no fault, the host could not know.
func (s *session) closeStage(one *openRequest, id string) {
	s.lock.Lock()
	found := s.stages[id]
	s.lock.Unlock()
	if found != nil {
		if failure := found.close(); failure != nil {
			s.reply(one, &pb.Reply{Kind: &pb.Reply_Failure{Failure: failure}})
			return
		}
	}
	s.reply(one, &pb.Reply{Kind: &pb.Reply_CloseStage{CloseStage: &pb.CloseStageResult{}}})
}
