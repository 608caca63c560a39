package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
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

	files    map[fileID]*file
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
		files: map[fileID]*file{}, unstored: map[fileID]bool{}, told: map[string]bool{},
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
	delete(t.unstored, one.id)
	t.note(made)
	return true
}

func (t *tailer) note(file *file) {
	file.head = file.mark.head.String()
	t.pending = append(t.pending, t.checkpoint(file))
}

// drop forgets a file that is gone, and its offset.
func (t *tailer) drop(file *file) {
	t.shut(file)
	delete(t.files, file.id)
	t.pending = append(t.pending, bulkhead.Checkpoint(file.partition, nil))
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

// next chooses among the files that have something to read: each in its turn, but of those that had one
// name the older ones first.
func (t *tailer) next() *file {
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
	var found *file
	for _, one := range all {
		if blocked[one.mark.path] {
			continue
		}
		ready, wait := t.state(one)
		blocked[one.mark.path] = ready || wait
		if ready && (found == nil || one.used < found.used) {
			found = one
		}
	}
	return found
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

// piece reads on in a file.
func (t *tailer) piece(file *file) []bulkhead.Record {
	t.turn++
	file.used = t.turn
	if err := t.ensureOpen(file); err != nil {
		t.tell(file.path, unreadable, err)
		file.retryAt = t.now().Add(t.config.PollInterval)
		return nil
	}
	n, err := file.handle.ReadAt(t.buffer, file.mark.position)
	if err != nil && !errors.Is(err, io.EOF) {
		t.tell(file.path, unreadable, err)
		file.retryAt = t.now().Add(t.config.PollInterval)
		return nil
	}
	delete(t.told, unreadable+file.path)
	// I5: looked at after the reading, so that what was read is of the same content as the mark.
	info, err := file.handle.Stat()
	if err != nil || !file.mark.fits(file.handle, info.Size()) {
		t.restart(file)
		return nil
	}
	file.size = info.Size()
	file.mark.lengthen(file.handle)
	before := file.mark.position
	file.head = file.mark.head.String()
	records := t.lines(file, t.buffer[:n])
	if file.mark.position == before {
		if file.isWaiting() || (n == 0 && file.path == "") {
			return append(records, t.end(file, n)...)
		}
		file.partial = before + int64(n)
	}
	file.quietSince = t.now()
	return records
}

// end: a file that is renamed or gone has been quiet; its last line needs no end any more.
func (t *tailer) end(file *file, n int) (records []bulkhead.Record) {
	if n > 0 {
		records = append(records, t.record(file, t.buffer[:n], n))
	}
	if file.path == "" {
		t.drop(file)
	}
	return records
}

func (t *tailer) ensureOpen(wanted *file) error {
	if wanted.handle != nil {
		return nil
	}
	if t.open >= int(t.config.OpenFilesMax) {
		var oldest *file
		for _, one := range t.files {
			// What has no name any more could not be opened again.
			if one.handle != nil && one.path != "" && (oldest == nil || one.used < oldest.used) {
				oldest = one
			}
		}
		if oldest == nil {
			return errors.New("open.files.max files without a name have to be read first")
		}
		t.shut(oldest)
	}
	handle, err := os.Open(wanted.path)
	if err != nil {
		return err
	}
	if info, err := handle.Stat(); err != nil {
		_ = handle.Close()
		return err
	} else if id, _ := idOf(info); id != wanted.id {
		// Renamed since the last look, which the next one sees.
		_ = handle.Close()
		return &fs.PathError{Op: "open", Path: wanted.path, Err: errors.New("another file has its name now")}
	}
	wanted.handle = handle
	t.open++
	return nil
}

// restart: the content is another. What the copy has that was made of it before is read from there.
func (t *tailer) restart(changed *file) {
	folder := filepath.Dir(changed.mark.path)
	entries, _ := os.ReadDir(folder)
	var copied *seen
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if !isSibling(path, changed.mark.path) {
			continue
		}
		one, ok := t.stat(path, os.Lstat)
		if !ok || t.files[one.id] != nil || !t.isCopyOf(one, changed) {
			continue
		}
		if copied == nil || copied.info.ModTime().Before(one.info.ModTime()) {
			copied = &one
		}
	}
	if copied != nil {
		t.add(*copied, changed.mark)
	}
	changed.mark = mark{path: changed.mark.path}
	changed.partial, changed.size = -1, 0
	if info, err := changed.handle.Stat(); err == nil {
		changed.size = info.Size()
	}
	t.note(changed)
	t.log.Info("a file was truncated or replaced, it is read from its beginning", "path", changed.mark.path)
}

// lines cuts what was read into records.
func (t *tailer) lines(file *file, piece []byte) []bulkhead.Record {
	var records []bulkhead.Record
	bytesMax := int(t.config.LineBytesMax)
	for len(records) < pieceLines {
		end := bytes.IndexByte(piece, '\n')
		switch {
		case end >= 0 && file.mark.inside:
			t.advance(file, piece, end+1, false)
			records = append(records, t.checkpoint(file))
		case end >= 0:
			records = append(records, t.record(file, piece, end+1))
		case file.mark.inside && len(piece) > 0:
			end = len(piece) - 1
			t.advance(file, piece, len(piece), true)
			records = append(records, t.checkpoint(file))
		case len(piece) > bytesMax+1:
			end = len(piece) - 1
			records = append(records, t.record(file, piece, len(piece)))
		default:
			return records
		}
		piece = piece[end+1:]
	}
	return records
}

func (t *tailer) advance(file *file, piece []byte, taken int, inside bool) {
	file.mark.position += int64(taken)
	file.mark.tail = sumOf(piece[max(0, taken-tailBytesMax):taken])
	file.mark.inside = inside
}

func (t *tailer) checkpoint(file *file) bulkhead.Record {
	return bulkhead.Checkpoint(file.partition, file.mark.offset(file.head))
}

// record is the line that the first `taken` bytes are, with or without their end.
func (t *tailer) record(file *file, piece []byte, taken int) bulkhead.Record {
	line := piece[:taken]
	hasEnd := line[taken-1] == '\n'
	if hasEnd {
		line = bytes.TrimSuffix(line[:taken-1], []byte("\r"))
	}
	position, isLong := file.mark.position, len(line) > int(t.config.LineBytesMax)
	// A piece of a long line is not its end; the end of a rotated file is.
	t.advance(file, piece, taken, isLong && !hasEnd)
	if isLong {
		t.tell(file.mark.path, "a line is longer than line.bytes.max: "+t.config.LineTooLong, nil)
		if t.config.LineTooLong == "skip" {
			return t.checkpoint(file)
		}
		line = line[:t.config.LineBytesMax]
	}
	return bulkhead.Record{Topic: t.config.Topic, Key: file.mark.path, Value: strings.ToValidUTF8(string(line), "\uFFFD"),
		Headers:         []bulkhead.Header{{Name: "file.path", Value: file.path}, {Name: "file.offset", Value: position}},
		SourcePartition: file.partition, SourceOffset: file.mark.offset(file.head)}
}
