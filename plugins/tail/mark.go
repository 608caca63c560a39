package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"

	bulkhead "bulkhead/sdk/go"
)

const (
	headBytesMax = 1024
	tailBytesMax = 64
)

// fileID says which file it is whatever its name: renaming keeps it.
type fileID struct{ device, inode uint64 }

func idOf(info os.FileInfo) (fileID, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, false
	}
	return fileID{uint64(stat.Dev), stat.Ino}, true
}

func (id fileID) partition() bulkhead.Object {
	return bulkhead.Object{"device": int64(id.device), "inode": int64(id.inode)}
}

// sum is a checksum of so many bytes. Of no bytes it agrees with everything.
type sum struct {
	bytes int
	crc   uint32
}

func sumOf(bytes []byte) sum { return sum{len(bytes), crc32.ChecksumIEEE(bytes)} }

func (s sum) String() string { return fmt.Sprintf("%d:%08x", s.bytes, s.crc) }

func parseSum(text string) (made sum) {
	if _, err := fmt.Sscanf(text, "%d:%x", &made.bytes, &made.crc); err != nil ||
		made.bytes < 0 || made.bytes > headBytesMax {
		return sum{}
	}
	return made
}

func (s sum) isAt(from io.ReaderAt, position int64) bool {
	var buffer [headBytesMax]byte
	n, _ := from.ReadAt(buffer[:s.bytes], position)
	return n == s.bytes && sumOf(buffer[:n]) == s
}

// mark is how far a file is read, and by what to know that it is still the same content: its first bytes,
// and those just before the position.
type mark struct {
	// path is the file's name when it was first seen: the key of its lines.
	path     string
	position int64
	// inside: the position is within a line whose rest is left out.
	inside     bool
	head, tail sum
}

func (m *mark) offset(head string) bulkhead.Object {
	made := bulkhead.Object{"path": m.path, "position": m.position, "head": head, "tail": m.tail.String()}
	if m.inside {
		made["inside"] = true
	}
	return made
}

func parseMark(offset bulkhead.Object) mark {
	inside, _ := offset["inside"].(bool)
	return mark{path: offset.String("path"), position: max(0, offset.Int("position")), inside: inside,
		head: parseSum(offset.String("head")), tail: parseSum(offset.String("tail"))}
}

// fits says whether a file still begins with what was read of it.
func (m *mark) fits(file io.ReaderAt, size int64) bool {
	return size >= m.position && m.head.isAt(file, 0) && m.tail.isAt(file, m.position-int64(m.tail.bytes))
}

// lengthen takes in more of a file's beginning, up to its size limit.
func (m *mark) lengthen(file io.ReaderAt) {
	if m.head.bytes == headBytesMax {
		return
	}
	var buffer [headBytesMax]byte
	if n, _ := file.ReadAt(buffer[:], 0); n > m.head.bytes {
		m.head = sumOf(buffer[:n])
	}
}
