package bulkhead

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	logEntriesMax      = 1_000
	logEntriesPerBatch = 100
	// LevelTrace is below slog's own levels.
	LevelTrace = slog.Level(-8)
	levelFatal = slog.Level(12)
	levelOff   = slog.Level(1 << 20)
)

type subject struct {
	connector string
	task      *uint32
}

type subjectKey struct{}

// about marks what runs under a context: its lines bear the connector and task.
func about(ctx context.Context, connector string, task *uint32) context.Context {
	return context.WithValue(ctx, subjectKey{}, subject{connector, task})
}

// logBuffer holds lines on their way to the host; bounded: what does not fit is dropped and counted.
type logBuffer struct {
	lock    sync.Mutex
	entries []*pb.LogEntry
	dropped uint64
	levels  map[string]slog.Level
	ready   chan struct{}
}

func newLogBuffer() *logBuffer {
	return &logBuffer{levels: map[string]slog.Level{"": slog.LevelInfo}, ready: make(chan struct{}, 1)}
}

// connect sends lines from now on; send says false when it has no room now.
func (b *logBuffer) connect(ctx context.Context, send func(*pb.LogBatch) bool) {
	go func() {
		for {
			b.flush(send)
			select {
			case <-ctx.Done():
				return
			case <-b.ready:
			}
		}
	}()
}

func (b *logBuffer) flush(send func(*pb.LogBatch) bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for len(b.entries) > 0 || b.dropped > 0 {
		count := min(len(b.entries), logEntriesPerBatch)
		batch := &pb.LogBatch{Entries: b.entries[:count:count], Dropped: b.dropped}
		b.entries, b.dropped = b.entries[count:], 0
		if !send(batch) {
			b.dropped += batch.Dropped + uint64(count)
			return
		}
	}
}

func (b *logBuffer) add(entry *pb.LogEntry) {
	b.lock.Lock()
	if len(b.entries) >= logEntriesMax {
		b.dropped++
	} else {
		b.entries = append(b.entries, entry)
	}
	b.lock.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// setLevel: the logger's name is a prefix up to a dot; empty or `root` = all.
func (b *logBuffer) setLevel(said *pb.SetLogLevel) {
	level, known := levelsOfWire[said.Level]
	if !known {
		level = slog.LevelInfo
	}
	name := said.Logger
	if name == "root" {
		name = ""
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.levels) < logEntriesMax || name == "" {
		b.levels[name] = level
	}
}

func (b *logBuffer) enabled(logger string, level slog.Level) bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	for name := logger; ; {
		if limit, ok := b.levels[name]; ok {
			return level >= limit
		}
		at := strings.LastIndexByte(name, '.')
		if at < 0 {
			return level >= b.levels[""]
		}
		name = name[:at]
	}
}

var levelsOfWire = map[pb.LogLevel]slog.Level{
	pb.LogLevel_LOG_LEVEL_TRACE: LevelTrace,
	pb.LogLevel_LOG_LEVEL_DEBUG: slog.LevelDebug,
	pb.LogLevel_LOG_LEVEL_INFO:  slog.LevelInfo,
	pb.LogLevel_LOG_LEVEL_WARN:  slog.LevelWarn,
	pb.LogLevel_LOG_LEVEL_ERROR: slog.LevelError,
	pb.LogLevel_LOG_LEVEL_FATAL: levelFatal,
	pb.LogLevel_LOG_LEVEL_OFF:   levelOff,
}

func levelToWire(level slog.Level) pb.LogLevel {
	switch {
	case level >= levelFatal:
		return pb.LogLevel_LOG_LEVEL_FATAL
	case level >= slog.LevelError:
		return pb.LogLevel_LOG_LEVEL_ERROR
	case level >= slog.LevelWarn:
		return pb.LogLevel_LOG_LEVEL_WARN
	case level >= slog.LevelInfo:
		return pb.LogLevel_LOG_LEVEL_INFO
	case level >= slog.LevelDebug:
		return pb.LogLevel_LOG_LEVEL_DEBUG
	}
	return pb.LogLevel_LOG_LEVEL_TRACE
}

// logHandler is slog's way to the host.
type logHandler struct {
	buffer *logBuffer
	logger string
	about  subject
	fields map[string]string
	prefix string
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.buffer.enabled(h.logger, level)
}

func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	about := h.about
	if about.connector == "" {
		if said, ok := ctx.Value(subjectKey{}).(subject); ok {
			about = said
		}
	}
	entry := &pb.LogEntry{
		TimeMs: record.Time.UnixMilli(), Level: levelToWire(record.Level), Logger: h.logger,
		Text: clean(record.Message), Connector: about.connector, Task: about.task,
	}
	fields := make(map[string]string, len(h.fields)+record.NumAttrs())
	for name, value := range h.fields {
		fields[name] = value
	}
	record.Attrs(func(attr slog.Attr) bool {
		if err, ok := attr.Value.Any().(error); ok && entry.Exception == "" {
			entry.Exception = clean(stackOf(err))
		} else {
			addField(fields, h.prefix, attr)
		}
		return true
	})
	if len(fields) > 0 {
		entry.Fields = fields
	}
	h.buffer.add(entry)
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	made := *h
	made.fields = make(map[string]string, len(h.fields)+len(attrs))
	for name, value := range h.fields {
		made.fields[name] = value
	}
	for _, attr := range attrs {
		addField(made.fields, h.prefix, attr)
	}
	return &made
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	made := *h
	made.prefix = h.prefix + name + "."
	return &made
}

func addField(fields map[string]string, prefix string, attr slog.Attr) {
	value := attr.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		for _, one := range value.Group() {
			addField(fields, prefix+attr.Key+".", one)
		}
		return
	}
	fields[clean(prefix+attr.Key)] = clean(value.String())
}

// warnLocally is for what cannot reach the host's log: stderr is captured.
func warnLocally(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
