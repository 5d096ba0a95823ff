package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// walk presses Tab until what has the focus is the element that a person wants.
func (b *tab) walk(what, selector, words string) {
	b.Helper()
	for range 300 {
		b.press(kb.Tab)
		if get[bool](b, fmt.Sprintf(`document.activeElement.matches(%s) && (document.activeElement.innerText || '').includes(%s)`, quoted(selector), quoted(words))) {
			b.holds(what+" can be seen to have the focus", `getComputedStyle(document.activeElement).outlineStyle !== 'none' && document.activeElement.getBoundingClientRect().height > 0`)
			return
		}
	}
	b.Fatalf("%s cannot be reached with the Tab key", what)
}

// enter walks to an element and presses Enter.
func (b *tab) enter(what, selector, words string) {
	b.Helper()
	b.walk(what, selector, words)
	b.press("\r")
}

// Nobody needs a mouse, nor the single keys: with Tab and Enter everything that can be done is done.
func TestEveryActIsDoneWithTabAndEnter(t *testing.T) {
	s := serve(t, shipped(t), nil)
	at := s.send(t, login("u1", "iOS", "10.0.0.1", "RU"), login("u2", "iOS", "unknown", "RU"))
	b := open(t, s.url, look{})
	b.await("#insights", "ios")
	b.await(".reason", "transform")
	b.press("4") // a letter is opened when it comes into view
	b.await(".letter", "Original bytes")
	b.load() // with the focus where it is in the beginning
	b.await(".reason", "transform")

	// What can be clicked and is no control is only another way to something that is one.
	left := get[[]string](b, `(() => {
		const all = [...document.querySelectorAll('main *, header *, footer *')].filter((e) => e.checkVisibility() && getComputedStyle(e).cursor === 'pointer');
		return all.filter((e) => !e.closest('button, a, input, select, [tabindex="0"]')).map((e) => e.outerHTML.slice(0, 80));
	})()`)
	if len(left) > 0 {
		t.Errorf("these look as if they could be pressed, and have no focus: %q", left)
	}
	b.press(kb.Tab)
	b.holds("the first stop skips the bar", `document.activeElement.matches('.skip')`)
	b.press("\r")
	b.walk("a line of the last minutes", ".flow-in .trend", "")
	b.press(kb.ArrowLeft)
	b.await("#flow .section-note", " ago")
	b.enter("a stage", ".node-transform", "")
	b.holds("its lines are marked", `document.querySelector('.yaml li.on').textContent.includes('transform:')`)
	b.walk("a measure", ".agg-tools .segment", "users")
	b.press(" ")
	b.holds("the table is by users", `document.querySelector('.groups th[aria-sort=descending]').innerText.startsWith('users')`)
	b.walk("the windows", ".agg .chart", "")
	b.press(kb.ArrowLeft)
	b.await(".agg .tip", "open")
	b.enter("a letter", ".letter-row", "")
	b.enter("its bytes as hex", ".letter .segment", "Hex")
	b.await(".letter .bytes", "0000  7b")

	get[bool](b, `(document.querySelector('.letter-row').focus(), true)`)
	b.enter("replay", ".letter-tools .button", "Replay")
	b.await("dialog", "Replay this dead letter?")
	b.enter("the act itself", "dialog button", "Replay 1")
	b.await("#receipts", "1 dead letter sent to")

	b.walk("the partition", "#ex-partition", "")
	b.press(fmt.Sprint(at[0].Partition) + kb.Tab + fmt.Sprint(at[0].Offset) + "\r")
	b.await("#explain .fate", "Forwarded to")
	b.enter("the newest record of a partition", "#partitions .link", "")
	b.await("#explain .fate", ".")

	b.enter("what was done", "#receipts button", "")
	b.holds("the receipt is closed", `!document.querySelector('.receipt')`)
	b.enter("reload", "#reload", "")
	b.await("dialog", "Nothing in it has changed")
	b.press(kb.Escape)
	b.holds("the focus is back", `document.activeElement.id === 'reload'`)
	b.enter("the colours", "#theme", "")
	b.holds("they are light", `document.documentElement.dataset.theme === 'light'`)
	b.enter("pause", "#pause", "")
	b.await("dialog", "Pause the whole group?")
	b.press(kb.Escape)
	b.press("\r")
	b.await("dialog", "Pause the whole group?")
	b.enter("the act itself", "dialog button", "Pause")
	b.await("#health", "Paused.")
	b.enter("resume", ".health-extra button", "Resume")
	b.enter("the act itself", "dialog button", "Resume the group")
	b.await("#health", "Healthy.")
}
