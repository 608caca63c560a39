package bulkhead

import (
	"context"
	"time"
)

// clock is what waits; a harness has one that stands still.
type clock interface {
	now() time.Time
	sleep(ctx context.Context, pause time.Duration) error
	// after gives a channel that is sent to once, and what gives it up.
	after(pause time.Duration) (<-chan time.Time, func())
}

type realClock struct{}

func (realClock) now() time.Time { return time.Now() }

func (c realClock) sleep(ctx context.Context, pause time.Duration) error {
	return sleepOn(c, ctx, pause)
}

func (realClock) after(pause time.Duration) (<-chan time.Time, func()) {
	timer := time.NewTimer(pause)
	return timer.C, func() { timer.Stop() }
}

func sleepOn(c clock, ctx context.Context, pause time.Duration) error {
	if pause <= 0 {
		return ctx.Err()
	}
	over, giveUp := c.after(pause)
	defer giveUp()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
