package bulkhead

import (
	"context"
	"sync"
	"time"
)

// HarnessClock stands still until a test moves it: sleeps, pauses before retries and puts of nothing wait for it.
type HarnessClock struct {
	lock    sync.Mutex
	time    time.Time
	waiters map[*clockWaiter]struct{}
}

type clockWaiter struct {
	until time.Time
	over  chan time.Time
}

func newHarnessClock() *HarnessClock {
	return &HarnessClock{time: time.Now(), waiters: map[*clockWaiter]struct{}{}}
}

// Advance moves it: whoever waited for less goes on.
func (c *HarnessClock) Advance(by time.Duration) { c.advance(by) }

// advance says how many it has woken.
func (c *HarnessClock) advance(by time.Duration) int {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.time = c.time.Add(by)
	woken := 0
	for one := range c.waiters {
		if !one.until.After(c.time) {
			delete(c.waiters, one)
			one.over <- c.time
			woken++
		}
	}
	return woken
}

// Waiting is how many wait for it.
func (c *HarnessClock) Waiting() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return len(c.waiters)
}

func (c *HarnessClock) now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.time
}

func (c *HarnessClock) sleep(ctx context.Context, pause time.Duration) error {
	return sleepOn(c, ctx, pause)
}

func (c *HarnessClock) after(pause time.Duration) (<-chan time.Time, func()) {
	c.lock.Lock()
	defer c.lock.Unlock()
	made := &clockWaiter{until: c.time.Add(pause), over: make(chan time.Time, 1)}
	c.waiters[made] = struct{}{}
	return made.over, func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		delete(c.waiters, made)
	}
}
