package browser

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// chrome is the browser that all tests share. Each tab is a window of its own with no cookies and no storage.
type chrome struct {
	path string

	once   sync.Once
	ctx    context.Context //nolint:containedctx // chromedp keeps the browser in a context
	cancel context.CancelFunc
	err    error
}

// start starts the browser with the first tab.
func (c *chrome) start() (context.Context, error) {
	c.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(c.path), chromedp.Flag("hide-scrollbars", false))
		if os.Geteuid() == 0 {
			options = append(options, chromedp.NoSandbox) // which root cannot have
		}
		allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator)
		c.ctx, c.cancel, c.err = ctx, func() { cancel(); end() }, chromedp.Do(ctx)
	})
	return c.ctx, c.err
}

func (c *chrome) close() {
	if c.cancel != nil {
		c.cancel()
	}
}

// window opens a window for a test.
func (c *chrome) window(t testing.TB) context.Context {
	t.Helper()
	browser, err := c.start()
	if err != nil {
		t.Fatalf("%s does not start: %v", c.path, err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}
