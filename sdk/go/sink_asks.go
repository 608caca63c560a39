package bulkhead

import (
	"context"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

func (s *sinkTask) rewind(offsets []TopicOffset) {
	said := &pb.Rewind{}
	for _, one := range offsets {
		said.Offsets = append(said.Offsets, wireOffset(one))
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.epoch++
	said.Epoch = s.epoch
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Rewind{Rewind: said}})
}

func (s *sinkTask) pause(partitions []TopicPartition) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.epoch++
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Pause{
		Pause: &pb.PausePartitions{Partitions: wirePartitions(partitions), Epoch: s.epoch}}})
}

func (s *sinkTask) resume(partitions []TopicPartition) {
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_Resume{
		Resume: &pb.ResumePartitions{Partitions: wirePartitions(partitions)}}})
}

func wirePartitions(partitions []TopicPartition) []*pb.TopicPartition {
	made := make([]*pb.TopicPartition, len(partitions))
	for at, one := range partitions {
		made[at] = &pb.TopicPartition{Topic: one.Topic, Partition: uint32(one.Partition)}
	}
	return made
}

func (s *sinkTask) requestCommit() {
	s.host.stream.write(&pb.SinkTaskMessage{Kind: &pb.SinkTaskMessage_RequestCommit{RequestCommit: &pb.RequestCommit{}}})
}

func (s *sinkTask) report(ctx context.Context, record *SinkRecord, err error) error {
	// Without a reporter on the host's side the record's error is the task's.
	if !s.host.request.ErrantRecordReporter {
		return err
	}
	return s.reports.report(ctx, record, err)
}

func (s *sinkTask) timeout(pause time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.idleAfter = pause
}
