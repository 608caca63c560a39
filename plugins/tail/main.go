// A source of the lines of many files, over rotation.
package main

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	bulkhead "bulkhead/sdk/go"
)

type config struct {
	Paths        []string      `nonempty:"true" doc:"Absolute patterns of the files, separated by commas; * stays within a folder, ** does not."`
	Topic        string        `nonempty:"true" doc:"Where the lines go."`
	Begin        string        `default:"beginning" oneof:"beginning,end" importance:"medium" doc:"Where files are begun that are there when the connector first starts; later files are always read from their beginning."`
	PollInterval time.Duration `key:"poll.interval.ms" default:"1000" min:"10" max:"3600000" importance:"medium" doc:"How long to wait between two looks at the files."`
	LineBytesMax int32         `default:"1048576" min:"1" max:"3145728" importance:"medium" doc:"The longest line, in bytes."`
	LineTooLong  string        `default:"cut" oneof:"cut,skip" importance:"medium" doc:"What becomes of a longer line: its beginning is sent, or nothing of it."`
	RotatedWait  time.Duration `key:"rotated.wait.ms" default:"5000" min:"0" max:"3600000" importance:"low" doc:"A renamed or removed file that has not grown for so long is at its end: a last line without an end is sent then."`
	OpenFilesMax int32         `default:"200" min:"1" max:"100000" importance:"low" doc:"So many files are kept open by a task, at most."`
	FilesMax     int32         `default:"10000" min:"1" max:"1000000" importance:"low" doc:"So many files are followed by a task, at most."`
}

const (
	taskKey  = "tail.task"
	tasksKey = "tail.tasks"
)

type tailSource struct {
	bulkhead.SourceTask[config]
	tailer   *tailer
	nextLook time.Time
}

// Validate tells of patterns that no file can match.
func (s *tailSource) Validate(_ context.Context, check *bulkhead.Check) error {
	for _, pattern := range s.Config.Paths {
		if problem := patternProblem(pattern); problem != "" {
			check.Error("paths", "Invalid value %s for configuration paths: %s", pattern, problem)
		}
	}
	return nil
}

func patternProblem(pattern string) string {
	switch {
	case !filepath.IsAbs(pattern):
		return "it has to be absolute, such as /var/log/*.log"
	case !doublestar.ValidatePathPattern(pattern):
		return "it is no valid pattern; [ and { have to be closed, or written \\[ and \\{"
	}
	return ""
}

// TaskConfigs makes tasks.max tasks: files may come at any time, so nobody knows how many are needed.
func (s *tailSource) TaskConfigs(_ context.Context, connector *bulkhead.Connector) ([]map[string]string, error) {
	configs := make([]map[string]string, connector.TasksMax)
	for at := range configs {
		configs[at] = map[string]string{taskKey: strconv.Itoa(at), tasksKey: strconv.Itoa(len(configs))}
		for key, value := range connector.Texts {
			configs[at][key] = value
		}
	}
	return configs, nil
}

func (s *tailSource) Start(ctx context.Context) error {
	for _, pattern := range s.Config.Paths {
		if problem := patternProblem(pattern); problem != "" {
			return bulkhead.ConfigError("cannot follow %s: %s", pattern, problem)
		}
	}
	task, _ := strconv.Atoi(s.Texts[taskKey])
	tasks, _ := strconv.Atoi(s.Texts[tasksKey])
	s.tailer = newTailer(s.Config, task, max(tasks, 1), s.Log, s.Now)
	return nil
}

// Poll reads one piece of one file. It is called only while there is credit.
func (s *tailSource) Poll(ctx context.Context) ([]bulkhead.Record, error) {
	s.tailer.offsets = func(partitions []bulkhead.Object) ([]bulkhead.Object, error) {
		return s.Offsets(ctx, partitions)
	}
	for ctx.Err() == nil {
		now := s.Now()
		if !now.Before(s.nextLook) {
			if err := s.tailer.look(); err != nil {
				return nil, bulkhead.Retriable(err)
			}
			s.nextLook = now.Add(s.Config.PollInterval)
		}
		if records := s.tailer.read(); len(records) > 0 {
			return records, nil
		}
		if err := s.Sleep(ctx, s.nextLook.Sub(s.Now())); err != nil {
			return nil, nil
		}
	}
	return nil, nil
}

func (s *tailSource) Stop(context.Context) error {
	if s.tailer != nil {
		s.tailer.close()
	}
	return nil
}

func main() {
	(&bulkhead.Plugin{Name: "tail", Version: "0.1.0", Classes: []bulkhead.Class{
		bulkhead.Source[tailSource]("bulkhead.TailSource", bulkhead.WithDoc("Lines of many files, over rotation.")),
	}}).Run()
}
