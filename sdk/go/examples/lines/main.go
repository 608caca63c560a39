// A sink that appends values to a file, a line each.
package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"time"

	bulkhead "bulkhead/sdk/go"
)

type config struct {
	File    string `doc:"where to append" nonempty:"true"`
	Trouble string `default:"none" oneof:"none,retry,rewind,pause,bad,fail,block,panic" importance:"low" doc:"what goes wrong, to see what becomes of it"`
}

// lines appends values to a file; an offset is safe when the file is on disk.
type lines struct {
	bulkhead.SinkTask[config]
	file    *os.File
	writer  *bufio.Writer
	trouble string
}

func (l *lines) Start(context.Context) (err error) {
	l.trouble = l.Config.Trouble
	l.file, err = os.OpenFile(l.Config.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	l.writer = bufio.NewWriter(l.file)
	return err
}

func (l *lines) Put(ctx context.Context, records []bulkhead.SinkRecord) error {
	if len(records) > 0 && l.trouble != "none" {
		if err := l.goWrong(ctx, &records[0]); err != nil {
			return err
		}
	}
	for at := range records {
		// A buffered writer keeps its first error for Flush.
		_, _ = l.writer.Write(records[at].ValueBytes())
		_ = l.writer.WriteByte('\n')
	}
	return nil
}

func (l *lines) Flush(_ context.Context, offsets []bulkhead.TopicOffset) ([]bulkhead.TopicOffset, error) {
	return offsets, errors.Join(l.writer.Flush(), l.file.Sync())
}

func (l *lines) Stop(context.Context) error { return l.file.Close() }

func (l *lines) goWrong(ctx context.Context, first *bulkhead.SinkRecord) error {
	trouble := l.trouble
	l.trouble = "none"
	switch trouble {
	case "retry":
		return bulkhead.Retriable(errors.New("asked to try again")).After(100 * time.Millisecond)
	case "rewind":
		l.Rewind(bulkhead.TopicOffset{TopicPartition: first.TopicPartition(), Offset: first.Offset})
	case "pause":
		l.Pause(first.TopicPartition())
	case "bad":
		l.trouble = trouble
		return bulkhead.RecordErrors{{Index: 0, Err: errors.New("asked to refuse it")}}
	case "fail":
		return errors.New("asked to fail")
	case "panic":
		panic("asked to panic")
	case "block":
		return l.Sleep(ctx, time.Hour)
	}
	return nil
}

func main() {
	(&bulkhead.Plugin{Name: "go-lines", Version: "0.1.0", Classes: []bulkhead.Class{
		bulkhead.Sink[lines]("example.go.LinesSink", bulkhead.WithDoc("Appends values to a file.")),
	}}).Run()
}
