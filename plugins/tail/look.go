package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	bulkhead "bulkhead/sdk/go"
)

// seen is a file that a look has found.
type seen struct {
	path    string
	id      fileID
	info    os.FileInfo
	matched bool
}

var (
	// What rotation puts behind a name, .1, -20261123, .2026-11-23, or a date before its extension.
	rotationSuffix = regexp.MustCompile(`(\.[0-9]+|[._-][0-9]{4}[0-9TZ:._-]*)+$`)
	dateSuffix     = regexp.MustCompile(`[._-][0-9]{4}[0-9TZ:._-]*$`)
	rotationParts  = regexp.MustCompile(`^([._-][0-9TZ:]+)+$`)
	packedSuffix   = regexp.MustCompile(`(?i)\.(gz|bz2|xz|zst|lz4|zip|Z|tmp|swp)$`)
)

// family is the same for a file and what it is renamed to, so that one task has both.
func family(path string) string {
	short := rotationSuffix.ReplaceAllString(filepath.Base(path), "")
	extension := filepath.Ext(short)
	short = dateSuffix.ReplaceAllString(strings.TrimSuffix(short, extension), "") + extension
	return filepath.Join(filepath.Dir(path), short)
}

func (t *tailer) isMine(path string) bool {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(family(path)))
	return int(hash.Sum32()%uint32(t.tasks)) == t.task
}

// stem is a file's name without its extension: the rotated files of x.log may be x.log.1 or x-1.log.
func stem(name string) string {
	if extension := filepath.Ext(name); extension != name {
		name = strings.TrimSuffix(name, extension)
	}
	return name
}

// isSibling says whether a file may be what a log of that name was renamed or copied to.
func isSibling(path, log string) bool {
	if path == log || filepath.Dir(path) != filepath.Dir(log) || packedSuffix.MatchString(path) {
		return false
	}
	rest, ok := strings.CutPrefix(filepath.Base(path), stem(filepath.Base(log)))
	return ok && rest != "" && strings.ContainsRune("._-", rune(rest[0]))
}

// isGeneration says whether a name is a log's with a number or a date, and nothing else.
func isGeneration(path, log string) bool {
	name, base := filepath.Base(path), filepath.Base(log)
	if rest, ok := strings.CutPrefix(name, base); ok {
		return rotationParts.MatchString(rest)
	}
	rest, ok := strings.CutSuffix(strings.TrimPrefix(name, stem(base)), filepath.Ext(base))
	return ok && rotationParts.MatchString(rest)
}

// look finds new files, and where the known ones are now.
func (t *tailer) look() error {
	matched, err := t.match()
	if err != nil {
		return err
	}
	siblings := t.siblings(matched)
	t.queue = nil
	t.follow(append(append([]seen{}, matched...), siblings...))
	return t.adopt(matched, siblings)
}

func (t *tailer) match() ([]seen, error) {
	var found []seen
	paths, ids := map[string]bool{}, map[fileID]bool{}
	for _, pattern := range t.config.Paths {
		names, err := doublestar.FilepathGlob(pattern, doublestar.WithFilesOnly())
		if err != nil {
			return nil, fmt.Errorf("cannot look for %s: %w", pattern, err)
		}
		for _, path := range names {
			if paths[path] || !t.isMine(path) {
				continue
			}
			paths[path] = true
			// Two names of one file are one file.
			if one, ok := t.stat(path, os.Stat); ok && !ids[one.id] {
				ids[one.id], one.matched = true, true
				found = append(found, one)
			}
		}
	}
	return found, nil
}

func (t *tailer) stat(path string, how func(string) (os.FileInfo, error)) (seen, bool) {
	info, err := how(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.tell(path, unreadable, err)
		}
		return seen{}, false
	}
	id, ok := idOf(info)
	return seen{path: path, id: id, info: info}, ok && info.Mode().IsRegular()
}

// siblings are the files beside the known ones that rotation may have made of them.
func (t *tailer) siblings(matched []seen) []seen {
	logs, known := map[string]map[string]bool{}, map[string]bool{}
	add := func(path string) {
		folder := filepath.Dir(path)
		if logs[folder] == nil {
			logs[folder] = map[string]bool{}
		}
		logs[folder][stem(filepath.Base(path))] = true
	}
	for _, one := range matched {
		known[one.path] = true
		add(one.path)
	}
	for _, one := range t.files {
		add(one.mark.path)
	}
	var found []seen
	for folder, stems := range logs {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			path := filepath.Join(folder, entry.Name())
			if known[path] || !entry.Type().IsRegular() || !hasStem(entry.Name(), stems) {
				continue
			}
			if one, ok := t.stat(path, os.Lstat); ok {
				found = append(found, one)
			}
		}
	}
	return found
}

func hasStem(name string, stems map[string]bool) bool {
	for at := range len(name) {
		if strings.IndexByte("._-", name[at]) >= 0 && stems[name[:at]] {
			return true
		}
	}
	return stems[name]
}

// follow learns where the known files are; one that is nowhere any more is read to its end if it is open.
func (t *tailer) follow(all []seen) {
	places := make(map[fileID]seen, len(all))
	for _, one := range all {
		if _, twice := places[one.id]; !twice || one.matched {
			places[one.id] = one
		}
	}
	for id, file := range t.files {
		if place, ok := places[id]; ok {
			file.path, file.size, file.changed = place.path, place.info.Size(), place.info.ModTime()
		} else if info, err := os.Stat(file.path); err == nil {
			// Still at its place, only not looked for there.
			if same, _ := idOf(info); same == id {
				file.size, file.changed = info.Size(), info.ModTime()
				continue
			}
			file.path = ""
		} else {
			file.path = ""
		}
		if file.path == "" && file.handle == nil {
			if file.size > file.mark.position {
				t.tell(file.mark.path, "a file is gone that could not be read to its end", nil)
			}
			t.drop(file)
		}
	}
}

// adopt takes new files in: those of the pattern, and what rotation made while nobody looked.
func (t *tailer) adopt(matched, siblings []seen) error {
	var unknown []seen
	for _, one := range append(append([]seen{}, matched...), siblings...) {
		if t.files[one.id] == nil {
			unknown = append(unknown, one)
		}
	}
	marks, err := t.storedMarks(unknown)
	if err != nil {
		return err
	}
	var unseen []seen
	for at, one := range unknown {
		if marks[at] == nil || !t.resume(one, *marks[at]) {
			unseen = append(unseen, one)
		}
	}
	// Oldest first, so that a file is known before the one that took its name.
	sort.SliceStable(unseen, func(a, b int) bool {
		return unseen[a].info.ModTime().Before(unseen[b].info.ModTime())
	})
	for _, one := range unseen {
		if one.matched {
			if err := t.begin(one); err != nil {
				return err
			}
		} else if log, ok := t.missedLog(one); ok {
			t.add(one, mark{path: log})
		}
	}
	return t.finishFirstLook()
}

func (t *tailer) storedMarks(files []seen) ([]*mark, error) {
	marks := make([]*mark, len(files))
	var partitions []bulkhead.Object
	var places []int
	present := map[fileID]bool{}
	for at, one := range files {
		present[one.id] = true
		if !t.unstored[one.id] {
			partitions, places = append(partitions, one.id.partition()), append(places, at)
		}
	}
	for id := range t.unstored {
		if !present[id] {
			delete(t.unstored, id)
		}
	}
	if len(partitions) == 0 {
		return marks, nil
	}
	offsets, err := t.offsets(partitions)
	if err != nil {
		return nil, err
	}
	for at, place := range places {
		if offsets[at] == nil {
			t.unstored[files[place].id] = true
		} else {
			made := parseMark(offsets[at])
			marks[place] = &made
		}
	}
	return marks, nil
}

// resume goes on where an earlier life has ended; false = what has the inode now is another file.
func (t *tailer) resume(one seen, stored mark) bool {
	if one.matched && one.path == stored.path {
		// If its content was replaced, reading it notices.
		return t.add(one, stored)
	}
	handle, err := os.Open(one.path)
	if err != nil {
		t.tell(one.path, unreadable, err)
		return true
	}
	defer handle.Close()
	return stored.fits(handle, one.info.Size()) && t.add(one, stored)
}

func logKey(path string) string {
	return filepath.Join(filepath.Dir(path), stem(filepath.Base(path)))
}

// relatives are the known files that a path may have been made of by rotation.
func (t *tailer) relatives(path string) (found []*file) {
	folder, name := filepath.Dir(path), filepath.Base(path)
	for at := range len(name) {
		if strings.IndexByte("._-", name[at]) >= 0 {
			found = append(found, t.logs[filepath.Join(folder, name[:at])]...)
		}
	}
	return found
}

// missedLog: a file that is younger than one that has been renamed held the name in between.
func (t *tailer) missedLog(one seen) (string, bool) {
	if t.isCopy(one) {
		return "", false
	}
	for _, file := range t.relatives(one.path) {
		if file.isRotated() && isSibling(one.path, file.mark.path) && isGeneration(one.path, file.mark.path) &&
			!one.info.ModTime().Before(file.changed) &&
			!t.isCopyOf(one, file) {
			return file.mark.path, true
		}
	}
	return "", false
}

// isCopy says whether a file is a copy of one that is being read: of it only that matters what the other
// loses when it is truncated.
func (t *tailer) isCopy(one seen) bool {
	for _, file := range t.relatives(one.path) {
		if !file.isRotated() && isSibling(one.path, file.mark.path) && t.isCopyOf(one, file) {
			return true
		}
	}
	return false
}

func (t *tailer) isCopyOf(one seen, file *file) bool {
	if file.mark.position == 0 {
		return false
	}
	handle, err := os.Open(one.path)
	if err != nil {
		return false
	}
	defer handle.Close()
	return file.mark.fits(handle, one.info.Size())
}

func matches(pattern, path string) bool {
	ok, _ := doublestar.PathMatch(pattern, path)
	return ok
}
