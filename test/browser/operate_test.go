package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestPauseHoldsForEverybodyUntilSomebodyResumes(t *testing.T) {
	s := serve(t, shipped(t), nil)
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"))
	b := open(t, s.url, look{})
	other := open(t, s.url, look{})
	b.await("#health", "Healthy.")
	b.click("#pause", "")
	b.await("dialog", "Pause the whole group?", "Nothing is lost")
	b.fill("#confirm-field", "<b>broker</b> upgrade")
	b.click("dialog button", "Pause "+s.group)
	b.await("#receipts", "is paused")
	for _, page := range []*tab{b, other} {
		page.await("#health", "Paused.", "<b>broker</b> upgrade", "from one", "Resume")
		page.await("#pause", "Resume")
	}
	if title := get[string](b, "document.title"); !strings.HasPrefix(title, "Paused · ") {
		t.Errorf("the title of a paused page is %q", title)
	}
	s.send(t, login("u2", "iOS", "10.0.0.1", "RU"))
	b.load() // as a colleague who opens it later
	b.await("#health", "Paused.", "1 event waits")
	b.press("p")
	b.await("dialog", "Resume "+s.group+"?")
	b.click("dialog button", "Resume the group")
	b.await("#receipts", "Resumed")
	b.await("#health", "Healthy.")
	other.await("#health", "Healthy.")
}

func TestABadPipelineFileIsRefusedWithItsLine(t *testing.T) {
	s := serve(t, shipped(t), nil)
	b := open(t, s.url, look{})
	b.allow("422")
	b.await("#health", "Waiting for the first event")
	write(t, s.env["PIPELINE_FILE"], strings.Replace(shipped(t), "lower(device_type)", "lowr(device_type)", 1))
	b.click("#reload", "")
	b.await("dialog", "pipeline.yaml was not loaded", "1 mistake", "Nothing has changed", "Line 16, column 18:", "unknown function lowr", "did you mean lower?")
	if marked := b.text("dialog mark"); marked != "lowr" {
		t.Errorf("%q is marked", marked)
	}
	b.press(kb.Escape)
	b.await(".yaml-state", "Shown is the file in use", "line 16:18")
	b.holds("the line is marked", `document.querySelectorAll('.yaml li.bad').length === 1`)

	write(t, s.env["PIPELINE_FILE"], strings.Replace(shipped(t), "grace: 30s", "grace: 45s", 1))
	b.click("#reload", "")
	b.await("dialog", "pipeline.yaml is loaded")
	b.press(kb.Escape)
	b.await("#insights", "grace 45 s")
	b.holds("nothing is wrong any more", `!document.querySelector('.yaml-state').checkVisibility()`)
}

func TestThePageIsUsedWithTheKeyboardAlone(t *testing.T) {
	s := serve(t, shipped(t), nil)
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"))
	b := open(t, s.url, look{})
	b.await("#health", "Healthy.")
	b.await("#insights", "ios")
	for i, section := range []string{"flow", "pipeline", "insights", "rejected", "explain", "partitions"} {
		b.press(string(rune('1' + i)))
		b.holds(section+" has the focus", `document.activeElement.id === `+quoted(section))
	}
	b.press("/")
	b.holds("the search has the focus", `document.activeElement.id === 'group-search'`)
	b.press("p")
	b.holds("a letter in a field is a letter", `document.activeElement.value === 'p' && !document.querySelector('dialog')`)
	get[bool](b, `(document.activeElement.blur(), true)`)
	b.press("e")
	b.holds("explain has the focus", `document.activeElement.id.startsWith('ex-')`)
	get[bool](b, `(document.activeElement.blur(), true)`)
	for _, theme := range []string{"light", "dark", ""} {
		b.press("t")
		b.holds("the colours are "+theme, `(document.documentElement.dataset.theme || '') === `+quoted(theme))
	}
	b.press("?")
	b.await("dialog", "Keyboard", "pause or resume")
	b.press(kb.Escape)
	b.holds("it is closed", `!document.querySelector('dialog')`)

	get[bool](b, `(document.querySelector('.flow-in .trend').focus(), true)`)
	b.press(kb.ArrowLeft + kb.ArrowLeft)
	b.await("#flow .section-note", " ago")
	b.holds("the moment is spoken", `/UTC: /.test(document.activeElement.getAttribute('aria-valuetext'))`)
	b.press(kb.Escape)
	b.await("#flow .section-note", "Last 15 minutes")
	b.press(kb.Tab)
	b.holds("the focus can be seen", `getComputedStyle(document.activeElement).outlineStyle !== 'none'`)
}
