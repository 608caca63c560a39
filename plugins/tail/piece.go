package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bulkhead "bulkhead/sdk/go"
)

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
	line = line[:min(len(line), int(t.config.LineBytesMax))]
	text := strings.ToValidUTF8(string(line), "\uFFFD")
	// What replaces bad bytes may be longer than they are.
	if limit := int(t.config.LineBytesMax); len(text) > limit {
		text, isLong = strings.ToValidUTF8(text[:limit], ""), true
	}
	if isLong {
		t.tell(file.mark.path, "a line is longer than line.bytes.max: "+t.config.LineTooLong, nil)
		if t.config.LineTooLong == "skip" {
			return t.checkpoint(file)
		}
	}
	return bulkhead.Record{Topic: t.config.Topic, Key: file.mark.path, Value: text,
		Headers:         []bulkhead.Header{{Name: "file.path", Value: file.path}, {Name: "file.offset", Value: position}},
		SourcePartition: file.partition, SourceOffset: file.mark.offset(file.head)}
}
