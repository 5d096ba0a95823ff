package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// cleanups undo what a start has done, the last thing first. Each is registered right after what it undoes, so that a
// start that fails half way leaves nothing behind.
type cleanups struct {
	list []cleanup
}

type cleanup struct {
	name string
	f    func(context.Context) error
}

func (c *cleanups) add(name string, f func(context.Context) error) {
	c.list = append(c.list, cleanup{name, f})
}

// run does all of them, whatever fails, once.
func (c *cleanups) run(ctx context.Context) error {
	var errs []error
	for _, x := range slices.Backward(c.list) {
		if err := x.f(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", x.name, err))
		}
	}
	c.list = nil
	return errors.Join(errs...)
}
