package bulkhead

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const metricsMax = 10_000

// Metric is a number of your own that goes to the host with the heartbeats. Its methods may be called
// from anywhere.
type Metric struct {
	bits atomic.Uint64
	sent uint64
	id   uint32
	said *pb.MetricDescriptor
}

// Add adds to it.
func (m *Metric) Add(value float64) {
	for {
		old := m.bits.Load()
		if m.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+value)) {
			return
		}
	}
}

// Set sets it: for gauges.
func (m *Metric) Set(value float64) { m.bits.Store(math.Float64bits(value)) }

// metricRegistry is the plugin's metrics by name and tags.
type metricRegistry struct {
	lock  sync.Mutex
	named map[string]*Metric
	order []*Metric
}

// Counter gives the counter of this name and these tags (name, value, name, value, …), made once.
func (p *Plugin) Counter(name, documentation string, tags ...string) *Metric {
	return p.metrics.metric(name, documentation, pb.MetricType_METRIC_TYPE_COUNTER, tags)
}

// Gauge gives the gauge of this name and these tags, made once.
func (p *Plugin) Gauge(name, documentation string, tags ...string) *Metric {
	return p.metrics.metric(name, documentation, pb.MetricType_METRIC_TYPE_GAUGE, tags)
}

func (r *metricRegistry) metric(name, documentation string, kind pb.MetricType, tags []string) *Metric {
	key := name
	said := &pb.MetricDescriptor{Name: clean(name), Documentation: clean(documentation), Type: kind}
	for at := 0; at+1 < len(tags); at += 2 {
		key += "\x00" + tags[at] + "\x00" + tags[at+1]
		said.Tags = append(said.Tags, &pb.MetricTag{Name: clean(tags[at]), Value: clean(tags[at+1])})
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if found := r.named[key]; found != nil {
		return found
	}
	made := &Metric{said: said, sent: math.Float64bits(math.NaN())}
	if len(r.order) >= metricsMax {
		// I5: it counts, and goes nowhere.
		return made
	}
	if r.named == nil {
		r.named = map[string]*Metric{}
	}
	made.id = uint32(len(r.order) + 1)
	said.Id = made.id
	r.named[key] = made
	r.order = append(r.order, made)
	return made
}

// send writes what has changed.
func (r *metricRegistry) send(write func(proto.Message)) {
	r.lock.Lock()
	defer r.lock.Unlock()
	batch := &pb.MetricBatch{}
	for _, one := range r.order {
		if one.said != nil {
			batch.Descriptors = append(batch.Descriptors, one.said)
			one.said = nil
		}
		if bits := one.bits.Load(); bits != one.sent {
			one.sent = bits
			batch.Values = append(batch.Values, &pb.MetricValue{Id: one.id, Value: math.Float64frombits(bits)})
		}
	}
	if len(batch.Values) > 0 {
		sort.Slice(batch.Values, func(a, b int) bool { return batch.Values[a].Id < batch.Values[b].Id })
		write(&pb.PluginMessage{Kind: &pb.PluginMessage_MetricBatch{MetricBatch: batch}})
	}
}
