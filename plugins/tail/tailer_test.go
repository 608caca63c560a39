package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	bulkhead "bulkhead/sdk/go"
)

// life is a tailer over offsets that outlive it, as a host keeps them.
type life struct {
	*tailer
	t      *testing.T
	dir    string
	clock  time.Time
	stored map[string]bulkhead.Object
	lines  []string
	keys   []string
	logged strings.Builder
	config config
}

func begin(t *testing.T, change func(*config)) *life {
	l := &life{t: t, dir: t.TempDir(), clock: time.Unix(1e9, 0), stored: map[string]bulkhead.Object{}}
	l.config = config{Paths: []string{l.path("*.log")}, Topic: "t", Begin: "beginning", PollInterval: time.Second,
		LineBytesMax: 100, LineTooLong: "cut", RotatedWait: time.Second, OpenFilesMax: 2, FilesMax: 1000}
	if change != nil {
		change(&l.config)
	}
	l.restart()
	t.Cleanup(func() { l.close() })
	return l
}

func (l *life) path(name string) string { return filepath.Join(l.dir, name) }

func keyOf(partition bulkhead.Object) string {
	text, _ := json.Marshal(partition)
	return string(text)
}

// restart begins a new life from what the last one has stored.
func (l *life) restart() {
	if l.tailer != nil {
		l.close()
	}
	log := slog.New(slog.NewTextHandler(io.Writer(&l.logged), nil))
	l.tailer = newTailer(l.config, 0, 1, log, func() time.Time { return l.clock })
	l.offsets = func(partitions []bulkhead.Object) ([]bulkhead.Object, error) {
		found := make([]bulkhead.Object, len(partitions))
		for at, one := range partitions {
			found[at] = l.stored[keyOf(one)]
		}
		return found, nil
	}
}

func (l *life) step() bool {
	records := l.read()
	for _, one := range records {
		if key := keyOf(one.SourcePartition); one.SourceOffset == nil {
			delete(l.stored, key)
		} else {
			// As it comes back from a host.
			text, _ := json.Marshal(one.SourceOffset)
			var back bulkhead.Object
			_ = json.Unmarshal(text, &back)
			l.stored[key] = back
		}
		if one.Topic != "" {
			l.lines = append(l.lines, one.Value.(string))
			l.keys = append(l.keys, filepath.Base(one.Key.(string)))
		}
	}
	return len(records) > 0
}

// all looks and reads until there is nothing more.
func (l *life) all() {
	l.t.Helper()
	l.clock = l.clock.Add(2 * time.Second)
	if err := l.look(); err != nil {
		l.t.Fatal(err)
	}
	for l.step() {
	}
}

func (l *life) write(name, text string) {
	l.t.Helper()
	file, err := os.OpenFile(l.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString(text)
		_ = file.Close()
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) rename(from, to string) {
	l.t.Helper()
	if err := os.Rename(l.path(from), l.path(to)); err != nil {
		l.t.Fatal(err)
	}
}

// copyTruncate is what logrotate does with that option.
func (l *life) copyTruncate(from, to string) {
	l.t.Helper()
	text, err := os.ReadFile(l.path(from))
	if err == nil {
		err = os.WriteFile(l.path(to), text, 0o644)
	}
	if err == nil {
		err = os.Truncate(l.path(from), 0)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) expect(lines ...string) {
	l.t.Helper()
	if !reflect.DeepEqual(l.lines, lines) && len(l.lines)+len(lines) > 0 {
		l.t.Fatalf("got %q, expected %q\n%s", l.lines, lines, l.logged.String())
	}
}

func TestLinesOfManyFilesComeAndALastOneWithoutAnEndWaits(t *testing.T) {
	l := begin(t, nil)
	l.write("a.log", "one\r\ntwo\nthr")
	l.all()
	l.expect("one", "two")
	l.write("a.log", "ee\n\n")
	l.write("b.log", "b\xff\n")
	l.write("other.txt", "no\n")
	l.all()
	if l.write("c.log", ""); len(l.lines) != 5 {
		t.Fatalf("%q", l.lines)
	}
	l.restart()
	l.all()
	if len(l.lines) != 5 || !strings.Contains(strings.Join(l.lines, "|"), "b\uFFFD") {
		t.Fatalf("%q", l.lines)
	}
}

func TestARenamedFileIsReadToItsEndBeforeTheNewOne(t *testing.T) {
	for _, pattern := range []string{"x.log", "x.log*"} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprint(pattern, down), func(t *testing.T) {
				l := begin(t, nil)
				l.config.Paths = []string{l.path(pattern)}
				l.restart()
				l.write("x.log", "1\n2\n")
				l.all()
				l.write("x.log", "3\n4")
				l.rename("x.log", "x.log.1")
				l.write("x.log", "5\n")
				if down {
					l.restart()
				}
				l.all()
				l.expect("1", "2", "3")
				// The last line without an end comes when the file has been quiet, and the new one then.
				l.all()
				l.expect("1", "2", "3", "4", "5")
				l.restart()
				l.all()
				l.expect("1", "2", "3", "4", "5")
				for _, key := range l.keys {
					if key != "x.log" {
						t.Fatalf("%q", l.keys)
					}
				}
			})
		}
	}
}

func TestAGenerationThatNobodyHasSeenIsReadInItsTurn(t *testing.T) {
	l := begin(t, nil)
	l.write("x.log.7", "old\n")
	_ = os.Chtimes(l.path("x.log.7"), time.Unix(1, 0), time.Unix(1, 0))
	l.write("x.log", "1\n")
	l.all()
	l.write("x.log", "2\n")
	l.rename("x.log", "x.log.2")
	l.write("x.log.1", "3\n")
	l.write("x.err.log.gz", "no\n")
	l.write("x-notes.txt", "no\n")
	l.write("x.log", "4\n")
	l.restart()
	l.all()
	l.expect("1", "2", "3", "4")
}

func TestATruncatedFileIsReadFromItsBeginning(t *testing.T) {
	for name, again := range map[string]string{
		"shorter": "x\n", "as long": "4\n5\n6\n", "longer": "4\n5\n6\n7\n", "with the same first line": "1\n5\n6\n7\n"} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, nil)
			l.write("x.log", "1\n2\n3\n")
			l.all()
			if err := os.WriteFile(l.path("x.log"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			l.write("x.log", again)
			l.all()
			// Of the same size it is noticed when it grows.
			l.write("x.log", "8\n")
			l.all()
			want := append([]string{"1", "2", "3"}, strings.Split(again+"8", "\n")...)
			l.expect(want...)
		})
	}
}

func TestWhatTruncationTookIsReadFromTheCopy(t *testing.T) {
	for _, pattern := range []string{"x.log", "x.log*"} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprint(pattern, down), func(t *testing.T) {
				l := begin(t, nil)
				l.config.Paths = []string{l.path(pattern)}
				l.restart()
				for round := range 3 {
					n := round * 3
					l.write("x.log", fmt.Sprintf("%d\n", n))
					l.all()
					l.write("x.log", fmt.Sprintf("%d\n", n+1))
					if round > 0 {
						l.rename("x.log.1", fmt.Sprintf("x.log.%d", 9-round))
					}
					l.copyTruncate("x.log", "x.log.1")
					l.write("x.log", fmt.Sprintf("%d\n", n+2))
					if down {
						l.restart()
					}
					l.all()
					l.all()
				}
				l.expect("0", "1", "2", "3", "4", "5", "6", "7", "8")
			})
		}
	}
}

func TestALongLineIsCutOrSkippedAndTold(t *testing.T) {
	for mode, first := range map[string][]string{"cut": {strings.Repeat("a", 100)}, "skip": {}} {
		t.Run(mode, func(t *testing.T) {
			l := begin(t, func(c *config) { c.LineTooLong = mode })
			l.write("x.log", strings.Repeat("a", 300_000))
			l.all()
			l.restart()
			l.write("x.log", strings.Repeat("a", 300_000)+"\n"+strings.Repeat("b", 100)+"\r\nc\n")
			l.all()
			l.expect(append(first, strings.Repeat("b", 100), "c")...)
			if !strings.Contains(l.logged.String(), "longer than line.bytes.max") {
				t.Fatal(l.logged.String())
			}
		})
	}
}

func TestBadBytesMakeNoLineLongerThanAllowed(t *testing.T) {
	l := begin(t, nil)
	l.write("x.log", strings.Repeat("a\xff", 50)+"\nb\n")
	l.all()
	l.expect(strings.Repeat("a\uFFFD", 25), "b")
}

func TestManyFilesAreReadWithFewOpenAndSoon(t *testing.T) {
	l := begin(t, func(c *config) { c.FilesMax = 1000 })
	for n := range 1010 {
		l.write(fmt.Sprintf("app-%d.log", n), fmt.Sprintln(n))
	}
	l.all()
	if len(l.lines) != 1000 || l.open > 2 || !strings.Contains(l.logged.String(), "files.max") {
		t.Fatal(len(l.lines), l.open, l.logged.String())
	}
}

func TestOnlyFilesThatWereThereFirstAreBegunAtTheirEnd(t *testing.T) {
	l := begin(t, func(c *config) { c.Begin = "end" })
	l.write("old.log", "1\ntorn")
	l.all()
	l.write("old.log", " line\n2\n")
	l.write("new.log", "3\n")
	l.all()
	l.restart()
	l.write("newer.log", "4\n")
	l.all()
	if got := strings.Join(l.lines, ""); len(got) != 3 || strings.Trim(got, "234") != "" {
		t.Fatalf("%q", l.lines)
	}
}

func TestARemovedFileIsReadToItsEndAndForgotten(t *testing.T) {
	l := begin(t, nil)
	l.write("x.log", "1\n")
	l.all()
	l.write("x.log", "2\n3")
	_ = os.Remove(l.path("x.log"))
	l.all()
	l.all()
	l.all()
	l.expect("1", "2", "3")
	if len(l.files) != 0 || len(l.stored) != 1 {
		t.Fatalf("%v %v", l.files, l.stored)
	}
}

func TestAnUnreadableFileIsToldOnceAndReadWhenItCanBe(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	l := begin(t, nil)
	l.write("x.log", "1\n")
	_ = os.Chmod(l.path("x.log"), 0)
	l.all()
	l.all()
	if told := strings.Count(l.logged.String(), unreadable); told != 1 {
		t.Fatal(told)
	}
	_ = os.Chmod(l.path("x.log"), 0o644)
	l.all()
	l.expect("1")
}

func TestFilesAreSharedOutWithWhatTheyAreRenamedTo(t *testing.T) {
	for log, names := range map[string][]string{
		"/v/x.log": {"/v/x.log.1", "/v/x.log-20261123", "/v/x.log.2026-11-23", "/v/x-2026-11-23T01-02-03.004.log"},
		"/v/app":   {"/v/app.1", "/v/app-20261123"},
	} {
		for _, name := range names {
			if family(name) != log {
				t.Errorf("%s: %s", name, family(name))
			}
		}
	}
	counts := [4]int{}
	for n := range 400 {
		for task := range counts {
			if (&tailer{task: task, tasks: len(counts)}).isMine(fmt.Sprintf("/v/app-%d.log", n)) {
				counts[task]++
			}
		}
	}
	for _, one := range counts {
		if one < 50 {
			t.Fatal(counts)
		}
	}
}

func TestPatternsThatMatchNothingAreRefused(t *testing.T) {
	for pattern, ok := range map[string]bool{"/a/**/*.log": true, "/a/[": false, "a/*.log": false, "/a/x": true} {
		if (patternProblem(pattern) == "") != ok {
			t.Error(pattern, patternProblem(pattern))
		}
	}
}

func TestAboutAnyOrderOfDeedsEveryLineComesOnceAndInOrder(t *testing.T) {
	seed, err := strconv.ParseInt(os.Getenv("BULKHEAD_SEED"), 10, 64)
	rounds := 12
	if err == nil {
		rounds = 1
	} else {
		seed = time.Now().UnixNano()
	}
	for range rounds {
		t.Run(fmt.Sprintf("BULKHEAD_SEED=%d", seed), func(t *testing.T) { randomRound(t, rand.New(rand.NewSource(seed))) })
		seed++
	}
}

func randomRound(t *testing.T, random *rand.Rand) {
	l := begin(t, func(c *config) { c.OpenFilesMax = int32(1 + random.Intn(5)) })
	logs := []string{"a.log", "b.log", "c.log"}
	// Each log rotates in one way, as it is set up.
	byCopy := map[string]bool{"a.log": random.Intn(2) == 0, "b.log": random.Intn(2) == 0}
	written, rotations := map[string]int{}, map[string]int{}
	for _, name := range logs {
		// What rotates before anybody has looked at it is nobody's loss.
		l.write(name, name+" 1\n")
		written[name] = 1
	}
	l.all()
	for range 150 {
		name := logs[random.Intn(len(logs))]
		switch random.Intn(8) {
		case 0, 1, 2, 3:
			var text strings.Builder
			for range 1 + random.Intn(40) {
				written[name]++
				fmt.Fprintf(&text, "%s %d%s", name, written[name], []string{"\n", "\r\n"}[random.Intn(2)])
			}
			// In two writes, so that a line is torn at times.
			at := random.Intn(text.Len())
			l.write(name, text.String()[:at])
			if random.Intn(3) == 0 {
				l.all()
			}
			l.write(name, text.String()[at:])
		case 4:
			if info, err := os.Stat(l.path(name)); err != nil || info.Size() == 0 {
				continue
			}
			rotations[name]++
			to := fmt.Sprintf("%s.%04d", name, rotations[name])
			if byCopy[name] {
				l.copyTruncate(name, to)
				// One copy between two looks: what of several the first has lost cannot be told.
				l.all()
			} else {
				l.rename(name, to)
			}
		case 5:
			l.restart()
		case 6:
			l.clock = l.clock.Add(time.Second)
			if err := l.look(); err != nil {
				t.Fatal(err)
			}
			for range random.Intn(4) {
				l.step()
			}
		case 7:
			l.all()
		}
	}
	for _, name := range logs {
		l.write(name, "")
	}
	l.all()
	l.all()
	came := map[string]int{}
	for _, line := range l.lines {
		name, number, _ := strings.Cut(line, " ")
		came[name]++
		if strconv.Itoa(came[name]) != number {
			t.Fatalf("%s: line %d came as %q\n%s", name, came[name], line, l.logged.String())
		}
	}
	if !reflect.DeepEqual(came, written) {
		t.Fatalf("came %v, written %v\n%s", came, written, l.logged.String())
	}
}
