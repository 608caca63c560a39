package bulkhead

import (
	"context"
	"sync"
)

const callbacksMax = 16

// callbacks are the user's Acked and Committed, one after the other in the order they came.
type callbacks struct {
	task    *task
	lock    sync.Mutex
	changed sync.Cond
	waiting []callback
	running bool
	open    bool
}

type callback struct {
	name string
	run  func(context.Context) error
}

func newCallbacks(t *task) *callbacks {
	made := &callbacks{task: t, open: true}
	made.changed.L = &made.lock
	return made
}

func (c *callbacks) add(name string, run func(context.Context) error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.waiting = append(c.waiting, callback{name, run})
	if !c.running {
		c.running = true
		go c.run()
	}
}

// full: I5, slow callbacks hold the next poll back, or they would pile up records without end.
func (c *callbacks) full() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.isFull()
}

func (c *callbacks) isFull() bool { return c.open && len(c.waiting) > callbacksMax }

func (c *callbacks) waitForRoom() {
	c.lock.Lock()
	defer c.lock.Unlock()
	for c.isFull() {
		c.changed.Wait()
	}
}

// release: no poll will follow, nobody has to wait for room any more.
func (c *callbacks) release() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.open = false
	c.changed.Broadcast()
}

// settle waits until the last one has returned.
func (c *callbacks) settle() {
	c.lock.Lock()
	defer c.lock.Unlock()
	for c.running {
		c.changed.Wait()
	}
}

func (c *callbacks) run() {
	finished := false
	defer func() {
		if !finished {
			c.task.host.log.Error("acked or committed: " + errGoexit.Error())
			go c.run()
		}
	}()
	for {
		c.lock.Lock()
		if len(c.waiting) == 0 {
			c.running = false
			c.changed.Broadcast()
			c.lock.Unlock()
			finished = true
			return
		}
		next := c.waiting[0]
		c.waiting = c.waiting[1:]
		c.changed.Broadcast()
		c.lock.Unlock()
		if c.task.isAbandoned() || !c.task.started {
			continue
		}
		err := callUser(c.task.instance, next.name, func() error { return next.run(c.task.finalContext()) })
		if err != nil {
			// As in Connect: logged and no more.
			c.task.host.log.Error(next.name+" failed: "+textOf(err), "error", err)
		}
	}
}
