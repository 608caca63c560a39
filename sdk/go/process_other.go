//go:build !unix

package bulkhead

import "runtime"

func processCost() (rssBytes, cpuMs uint64) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.Sys, 0
}
