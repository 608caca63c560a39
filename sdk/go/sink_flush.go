package bulkhead

import (
	"fmt"
	"strings"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

func (s *sinkTask) doFlush(said *pb.Flush) {
	s.meter.now(pb.TaskActivity_TASK_ACTIVITY_FLUSHING)
	named := offsetsOf(said.Offsets)
	safe := named
	answer := &pb.FlushResult{FlushSeq: said.FlushSeq}
	if flusher, ok := s.instance.(Flusher); ok && s.started {
		var returned []TopicOffset
		err := callUser(s.instance, "Flush", func() (err error) {
			returned, err = flusher.Flush(s.finalContext(), named)
			return err
		})
		if err == nil {
			safe, err = s.safeOffsets(named, returned)
		}
		if err != nil {
			answer.Failure, safe = toFailure(err), nil
		}
	}
	for _, one := range safe {
		answer.Safe = append(answer.Safe, wireOffset(one))
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if answer.Failure != nil {
		s.epoch++
	}
	answer.Epoch = s.epoch
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_FlushResult{FlushResult: answer}})
}

// safeOffsets: nothing of a partition that the Flush did not name, nothing beyond the offset that it named.
func (s *sinkTask) safeOffsets(named, returned []TopicOffset) ([]TopicOffset, error) {
	limits := make(map[TopicPartition]int64, len(named))
	for _, one := range named {
		limits[one.TopicPartition] = one.Offset
	}
	var safe []TopicOffset
	var others []string
	for _, one := range returned {
		if one.Offset < 0 {
			return nil, fmt.Errorf("Flush returned %d as the offset of %s-%d", one.Offset, one.Topic, one.Partition)
		}
		limit, ok := limits[one.TopicPartition]
		// A sink may well return all that it keeps, and may have put more than the host knew it had
		// when it asked; what is not its own is a mistake.
		if ok {
			safe = append(safe, TopicOffset{one.TopicPartition, min(one.Offset, limit)})
		} else if !s.owns(one.TopicPartition) {
			others = append(others, fmt.Sprintf("%s-%d", one.Topic, one.Partition))
		}
	}
	if len(others) > 0 {
		shown := strings.Join(others[:min(len(others), partitionsShown)], ", ")
		s.host.log.Warn("Flush returned offsets of partitions that are not this task's, ignored: " + shown)
	}
	return safe, nil
}

func (s *sinkTask) owns(one TopicPartition) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.partitions[one]
}
