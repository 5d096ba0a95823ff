package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"data-stream-engine/test/harness"
)

// tab is the dashboard in a window. What it says on the console and whom it asks is watched from the beginning: at the end
// of the test there must be nothing but what the test has allowed.
type tab struct {
	testing.TB
	ctx     context.Context //nolint:containedctx // chromedp keeps the window in a context
	address string

	mu      sync.Mutex
	said    []string // on the console
	foreign []string // addresses of others
	allowed []string // words of messages that belong to the test
}

// look is how a window looks.
type look struct {
	width, height int64
	scheme        string            // light, dark
	headers       map[string]string // of every request
}

// open opens the dashboard.
func open(t testing.TB, address string, l look) *tab {
	t.Helper()
	b := &tab{TB: t, ctx: chromium.window(t), address: address}
	b.watch()
	l.width, l.height = max(l.width, 360), max(l.height, 640)
	if l.width == 360 {
		l.width, l.height = 1280, 900
	}
	b.resize(l.width, l.height)
	b.scheme(l.scheme)
	if len(l.headers) > 0 {
		headers := network.Headers{}
		for name, value := range l.headers {
			headers[name] = value
		}
		call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers})
	}
	b.load()
	t.Cleanup(b.end)
	return b
}

func (b *tab) load() {
	b.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(b.address)); err != nil {
		b.Fatalf("open %s: %v", b.address, err)
	}
}

func (b *tab) watch() {
	messages, requests := chromedp.Console(b.ctx), chromedp.Events(b.ctx, network.RequestWillBeSent)
	call(b, network.Enable, network.EnableParams{})
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.note(&b.said, fmt.Sprintf("%s: %s %s", m.Type, m.Text, m.URL))
		}
	}()
	go func() {
		for r, err := range requests {
			if err != nil {
				return
			}
			if to, err := url.Parse(r.Request.URL); err != nil || "http://"+to.Host != strings.TrimSuffix(b.address, "/") {
				b.note(&b.foreign, r.Request.URL)
			}
		}
	}()
}

func (b *tab) note(list *[]string, line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, line)
}

// allow lets messages with these words pass: browsers report each answer that is an error.
func (b *tab) allow(words ...string) { b.allowed = append(b.allowed, words...) }

func (b *tab) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.said {
		known := false
		for _, words := range b.allowed {
			known = known || strings.Contains(line, words)
		}
		if !known {
			b.Errorf("on the console: %s", line)
		}
	}
	for _, to := range b.foreign {
		b.Errorf("the page has asked somebody else: %s", to)
	}
}

func (b *tab) resize(width, height int64) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 700})
}

func (b *tab) scheme(name string) {
	b.Helper()
	if name == "" {
		name = "light"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// call sends a command of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatalf("%s: %v", command.Method, err)
	}
}

// eval is the value of an expression, or of the promise that it is.
func eval[T any](b *tab, expression string) (T, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func get[T any](b *tab, expression string) T {
	b.Helper()
	v, err := eval[T](b, expression)
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// text is what can be read at the first element of a selector; await waits until it contains words.
func (b *tab) text(selector string) string {
	b.Helper()
	return get[string](b, fmt.Sprintf(`(document.querySelector(%s) || {innerText: "<nothing>"}).innerText`, quoted(selector)))
}

func (b *tab) await(selector string, words ...string) {
	b.Helper()
	harness.Until(b, late, selector+" shows "+strings.Join(words, ", "), func(context.Context) error {
		text, err := eval[string](b, fmt.Sprintf(`(document.querySelector(%s) || {innerText: "<nothing>"}).innerText`, quoted(selector)))
		if err != nil {
			return err
		}
		for _, w := range words {
			if !strings.Contains(text, w) {
				return fmt.Errorf("it shows %q", text)
			}
		}
		return nil
	})
}

// holds waits until an expression is true.
func (b *tab) holds(what, expression string) {
	b.Helper()
	harness.Until(b, late, what, func(context.Context) error {
		ok, err := eval[bool](b, "Boolean("+expression+")")
		if err == nil && !ok {
			err = errors.New(expression)
		}
		return err
	})
}

// click presses the first visible element of a selector that shows the words, with the mouse.
func (b *tab) click(selector, words string) {
	b.Helper()
	find := fmt.Sprintf(`(() => {
		const el = [...document.querySelectorAll(%s)].find((e) => e.checkVisibility() && !e.disabled && (e.innerText || e.getAttribute('aria-label') || '').includes(%s));
		if (!el) return null;
		el.scrollIntoView({block: 'center', behavior: 'instant'});
		const r = el.getBoundingClientRect();
		window.pressed = () => !el.isConnected || el.wasPressed;
		el.wasPressed = false;
		el.addEventListener('click', () => { el.wasPressed = true; }, {once: true, capture: true});
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, quoted(selector), quoted(words))
	harness.Until(b, soon, fmt.Sprintf("%s %q can be pressed", selector, words), func(context.Context) error {
		at, err := eval[[]float64](b, find)
		if err != nil {
			return err
		}
		if len(at) != 2 {
			return errors.New("it is not there")
		}
		if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(at[0], at[1])); err != nil {
			return err
		}
		// The page lives: what stands above may have grown in between, and the click went beside it.
		for range 20 {
			if hit, err := eval[bool](b, "window.pressed()"); err == nil && hit {
				return nil
			}
			time.Sleep(100 * time.Millisecond)
		}
		return errors.New("the click went beside it")
	})
}

// press presses keys, one after the other: a key that the page takes for itself writes nothing, as on a keyboard.
func (b *tab) press(keys string) {
	b.Helper()
	for _, r := range keys {
		if r <= unicode.MaxASCII && unicode.IsPrint(r) {
			call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: string(r), Text: string(r)})
			call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: string(r)})
		} else if err := chromedp.Do(b.ctx, chromedp.KeyEvent(string(r))); err != nil {
			b.Fatal(err)
		}
	}
}

// fill types into a field that is empty then.
func (b *tab) fill(selector, value string) {
	b.Helper()
	b.holds(selector+" is there", fmt.Sprintf("document.querySelector(%s)", quoted(selector)))
	get[bool](b, fmt.Sprintf(`(() => { const el = document.querySelector(%s); el.focus(); el.select(); return true; })()`, quoted(selector)))
	b.press(value)
}

// quoted is a text in JSON and in JavaScript, with markup as it is.
func quoted(s string) string {
	var text strings.Builder
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	if err := out.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(text.String(), "\n")
}
