// The same two classes as main.mjs.
package main

import (
	"context"
	"fmt"
	"os"

	bulkhead "bulkhead/sdk/go"
)

// bytes sends the same bytes for ever, in slices: what it takes to send a record, and no more.
type bytes struct {
	bulkhead.SourceTask[struct {
		Topic string
		Size  int `default:"100"`
	}]
	records []bulkhead.Record
	n       int64
}

func (b *bytes) Start(context.Context) error {
	partition := bulkhead.Object{"bench": "sdk"}
	value := make([]byte, b.Config.Size)
	for at := range value {
		value[at] = 'x'
	}
	for range 1_000 {
		record := bulkhead.Record{Topic: b.Config.Topic, Value: value, SourcePartition: partition}
		b.records = append(b.records, record)
	}
	return nil
}

func (b *bytes) Poll(context.Context) ([]bulkhead.Record, error) {
	b.n += int64(len(b.records))
	b.records[len(b.records)-1].SourceOffset = bulkhead.Object{"n": b.n}
	return b.records, nil
}

// count looks at every value and counts; the counts are written at the end.
type count struct {
	bulkhead.SinkTask[struct {
		File string
	}]
	records, bytes int
}

func (c *count) Put(_ context.Context, records []bulkhead.SinkRecord) error {
	for at := range records {
		value, err := records[at].Value()
		if err != nil {
			return err
		}
		c.bytes += len(value.([]byte))
	}
	c.records += len(records)
	return nil
}

func (c *count) Stop(context.Context) error {
	text := fmt.Sprintf(`{"records": %d, "bytes": %d}`, c.records, c.bytes)
	return os.WriteFile(c.Config.File, []byte(text), 0o644)
}

func main() {
	(&bulkhead.Plugin{Name: "bench-sdk", Version: "1.0.0", Classes: []bulkhead.Class{
		bulkhead.Source[bytes]("bench.sdk.Source", bulkhead.WithLastOffsets()),
		bulkhead.Sink[count]("bench.sdk.Sink"),
	}}).Run()
}
