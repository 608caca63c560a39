// A source that counts.
package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	bulkhead "bulkhead/sdk/go"
)

type config struct {
	Topic  string `doc:"where to write" nonempty:"true"`
	Count  int    `default:"1000000" min:"0" doc:"the last number"`
	Batch  int32  `default:"100" min:"1" max:"10000" doc:"records a poll"`
	Size   int32  `default:"0" min:"0" importance:"low" doc:"pads every value to so many bytes"`
	FailAt *int   `importance:"low" doc:"fails at this number"`
}

type counter struct {
	bulkhead.SourceTask[config]
}

func (c *counter) Read(ctx context.Context) iter.Seq2[[]bulkhead.Record, error] {
	return func(yield func([]bulkhead.Record, error) bool) {
		partition := bulkhead.Object{"counter": "main"}
		last, err := c.Offset(ctx, partition)
		if err != nil {
			yield(nil, err)
			return
		}
		n := int(last.Int("n"))
		c.Log.Debug("counting on", "from", n+1)
		for n < c.Config.Count {
			records := make([]bulkhead.Record, 0, c.Config.Batch)
			for len(records) < int(c.Config.Batch) && n < c.Config.Count {
				n++
				if c.Config.FailAt != nil && n == *c.Config.FailAt {
					yield(records, bulkhead.DataError("%d is the number to fail at", n))
					return
				}
				value := fmt.Sprintf("number %d", n)
				if missing := int(c.Config.Size) - len(value); missing > 0 {
					value += strings.Repeat(".", missing)
				}
				records = append(records, bulkhead.Record{Topic: c.Config.Topic, Value: value,
					SourcePartition: partition, SourceOffset: bulkhead.Object{"n": n}})
			}
			if !yield(records, nil) {
				return
			}
		}
	}
}

func main() {
	(&bulkhead.Plugin{Name: "go-counter", Version: "0.1.0", Classes: []bulkhead.Class{
		bulkhead.Source[counter]("example.go.Counter", bulkhead.WithDoc("Counts from 1 on.")),
	}}).Run()
}
