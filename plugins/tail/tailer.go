package main

import (
	"log/slog"
	"os"
	"slices"
	"sort"
	"time"

	bulkhead "bulkhead/sdk/go"
)

const (
	pieceBytes = 256 * 1024
	pieceLines = 1000
	toldMax    = 10_000
)

// file is one that is followed, by whatever name.
type file struct {
	id fileID
	// path is where it is now; empty = nowhere.
	path    string
	mark    mark
	size    int64
	changed time.Time
	handle  *os.File
	// order is in which files were taken in, used in which they were read last.
	order, used int64
	// partial is where the last reading ended without a whole line.
	partial int64
	// quietSince is when it last gave something; retryAt, when it may be read again after a failure.
	quietSince, retryAt time.Time
	partition           bulkhead.Object
	// head is the text of mark.head, made once a piece.
	head string
}

// isRotated: it was renamed or removed, so it will soon grow no more.
func (f *file) isRotated() bool { return f.path != f.mark.path }

func (f *file) isWaiting() bool { return f.partial == f.size && f.size > f.mark.position }

type tailer struct {
	config      config
	task, tasks int
	log         *slog.Logger
	now         func() time.Time
	offsets     func([]bulkhead.Object) ([]bulkhead.Object, error)

	files map[fileID]*file
	// logs has the same by folder and stem of the name they had first.
	logs map[string][]*file
	// queue is the rest of a round: files that have a piece to give.
	queue    []*file
	unstored map[fileID]bool
	told     map[string]bool
	begun    map[string]bool
	buffer   []byte
	pending  []bulkhead.Record
	turn     int64
	open     int
}

func newTailer(config config, task, tasks int, log *slog.Logger, now func() time.Time) *tailer {
	return &tailer{config: config, task: task, tasks: tasks, log: log, now: now,
		files: map[fileID]*file{}, logs: map[string][]*file{}, unstored: map[fileID]bool{}, told: map[string]bool{},
		// Room for the longest line and its end, so that it is known for too long.
		buffer: make([]byte, max(pieceBytes, int(config.LineBytesMax)+2))}
}

func (t *tailer) close() {
	for _, file := range t.files {
		t.shut(file)
	}
}

// tell says a thing about a path once, until forget.
func (t *tailer) tell(path, what string, err error) {
	if key := what + path; !t.told[key] && len(t.told) < toldMax {
		t.told[key] = true
		if err != nil {
			t.log.Warn(what+": "+err.Error(), "path", path)
		} else {
			t.log.Warn(what, "path", path)
		}
	}
}

func begunPartition(pattern string) bulkhead.Object { return bulkhead.Object{"begun": pattern} }

// begin takes in a file that nobody has read: at its end only if it was there before the connector was.
func (t *tailer) begin(one seen) error {
	if t.isCopy(one) {
		return nil
	}
	if err := t.loadBegun(); err != nil {
		return err
	}
	made := mark{path: one.path}
	if t.config.Begin == "end" && t.isBefore(one.path) {
		handle, err := os.Open(one.path)
		if err != nil {
			t.tell(one.path, unreadable, err)
			return nil
		}
		defer handle.Close()
		made.position = one.info.Size()
		var last [tailBytesMax]byte
		n, _ := handle.ReadAt(last[:min(tailBytesMax, made.position)], max(0, made.position-tailBytesMax))
		made.tail = sumOf(last[:n])
		made.inside = n > 0 && last[n-1] != '\n'
		made.lengthen(handle)
	}
	t.add(one, made)
	return nil
}

func (t *tailer) loadBegun() error {
	if t.begun != nil {
		return nil
	}
	var partitions []bulkhead.Object
	for _, pattern := range t.config.Paths {
		partitions = append(partitions, begunPartition(pattern))
	}
	stored, err := t.offsets(partitions)
	if err != nil {
		return err
	}
	t.begun = map[string]bool{}
	for at, pattern := range t.config.Paths {
		t.begun[pattern] = stored[at] != nil
	}
	return nil
}

// isBefore: no pattern that has the file was looked for earlier.
func (t *tailer) isBefore(path string) bool {
	for pattern, begun := range t.begun {
		if begun && matches(pattern, path) {
			return false
		}
	}
	return true
}

// finishFirstLook notes behind the files' own offsets that later files are new.
func (t *tailer) finishFirstLook() error {
	if err := t.loadBegun(); err != nil {
		return err
	}
	for _, pattern := range t.config.Paths {
		if !t.begun[pattern] {
			t.begun[pattern] = true
			t.pending = append(t.pending, bulkhead.Checkpoint(begunPartition(pattern), bulkhead.Object{"yes": true}))
		}
	}
	return nil
}

// add follows a file from a mark on, which is stored: the next life knows that it was seen.
func (t *tailer) add(one seen, from mark) bool {
	if len(t.files) >= int(t.config.FilesMax) {
		t.tell("", "there are more files than files.max; the others are left alone until some are gone", nil)
		return true
	}
	t.turn++
	made := &file{order: t.turn, id: one.id, path: one.path, mark: from, size: one.info.Size(), changed: one.info.ModTime(),
		partial: -1, partition: one.id.partition()}
	t.files[one.id] = made
	log := logKey(from.path)
	t.logs[log] = append(t.logs[log], made)
	delete(t.unstored, one.id)
	t.note(made)
	return true
}

func (t *tailer) note(file *file) {
	file.head = file.mark.head.String()
	t.pending = append(t.pending, t.checkpoint(file))
}

// drop forgets a file that is gone, and its offset.
func (t *tailer) drop(gone *file) {
	t.shut(gone)
	delete(t.files, gone.id)
	log := logKey(gone.mark.path)
	if t.logs[log] = slices.DeleteFunc(t.logs[log], func(one *file) bool { return one == gone }); len(t.logs[log]) == 0 {
		delete(t.logs, log)
	}
	t.pending = append(t.pending, bulkhead.Checkpoint(gone.partition, nil))
}

func (t *tailer) shut(file *file) {
	if file.handle != nil {
		_ = file.handle.Close()
		file.handle = nil
		t.open--
	}
}

// read gives the next piece of a file, the longest unread one's first; nothing if none has any.
func (t *tailer) read() []bulkhead.Record {
	for {
		records := t.pending
		t.pending = nil
		next := t.next()
		if next != nil {
			records = append(records, t.piece(next)...)
			// A truncated file has made its checkpoints meanwhile.
			records = append(records, t.pending...)
			t.pending = nil
		}
		if len(records) > 0 || next == nil {
			return records
		}
	}
}

// next is the file whose turn it is.
func (t *tailer) next() *file {
	if len(t.queue) == 0 {
		t.queue = t.round()
	}
	if len(t.queue) == 0 {
		return nil
	}
	first := t.queue[0]
	t.queue = t.queue[1:]
	return first
}

// round has the files that have something to read, each once; of those that had one name the oldest only.
func (t *tailer) round() (ready []*file) {
	all := make([]*file, 0, len(t.files))
	for _, one := range t.files {
		all = append(all, one)
	}
	sort.Slice(all, func(a, b int) bool {
		if all[a].isRotated() != all[b].isRotated() {
			return all[a].isRotated()
		}
		if all[a].isRotated() && !all[a].changed.Equal(all[b].changed) {
			return all[a].changed.Before(all[b].changed)
		}
		return all[a].order < all[b].order
	})
	blocked := map[string]bool{}
	for _, one := range all {
		if blocked[one.mark.path] {
			continue
		}
		isReady, mustWait := t.state(one)
		blocked[one.mark.path] = isReady || mustWait
		if isReady {
			ready = append(ready, one)
		}
	}
	return ready
}

// state: there is something to read; or not yet, and what comes after it has to wait for it.
func (t *tailer) state(one *file) (ready, wait bool) {
	if one.path == "" && one.handle != nil {
		if info, err := one.handle.Stat(); err == nil {
			one.size = info.Size()
		}
	}
	now := t.now()
	isQuiet := now.Sub(one.quietSince) >= t.config.RotatedWait
	switch {
	case now.Before(one.retryAt):
		return false, one.isRotated()
	case one.isWaiting():
		return one.isRotated() && isQuiet, one.isRotated()
	case one.size != one.mark.position:
		return true, one.isRotated()
	case one.path == "":
		return isQuiet, false
	}
	return false, false
}

const unreadable = "cannot read a file, it is tried again"
