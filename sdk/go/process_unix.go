//go:build unix

package bulkhead

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// processCost gives the resident bytes and the CPU milliseconds of this process.
func processCost() (rssBytes, cpuMs uint64) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		cpuMs = uint64(usage.Utime.Nano()+usage.Stime.Nano()) / 1_000_000
		rssBytes = uint64(usage.Maxrss)
		if runtime.GOOS != "darwin" {
			rssBytes *= 1024
		}
	}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if words := strings.Fields(string(text)); len(words) > 1 {
			if pages, err := strconv.ParseUint(words[1], 10, 64); err == nil {
				rssBytes = pages * uint64(os.Getpagesize())
			}
		}
	}
	return rssBytes, cpuMs
}
