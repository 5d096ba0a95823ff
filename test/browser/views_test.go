package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// violation is what axe-core finds, as far as it is reported here.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		Target  []any
		Summary string `json:"failureSummary"`
	}
}

// checker looks at a view of the page: whether everybody can use it, in both schemes, and whether it fits.
type checker struct{ axe string }

// newChecker reads axe-core, which scripts/browser.sh fetches.
func newChecker(t *testing.T) *checker {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(suite.Root, ".cache", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal("scripts/browser.sh fetches axe-core: ", err)
	}
	return &checker{string(text)}
}

// check looks at what a tab shows now. Within is a selector: the rest has been looked at.
func (c *checker) check(b *tab, what, within string) {
	b.Helper()
	get[bool](b, `window.axe !== undefined || (() => {`+c.axe+`; return true; })()`)
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		b.holds("the colours are "+scheme, `matchMedia('(prefers-color-scheme: `+scheme+`)').matches`)
		c.accessible(b, what+", "+scheme, within)
	}
	c.fits(b, what)
}

func (c *checker) accessible(b *tab, what, within string) {
	b.Helper()
	// Colours that are still on their way are nobody's fault.
	found := get[string](b, fmt.Sprintf(`Promise.all(document.getAnimations().map((a) => a.finished.catch(() => 0)))
		.then(() => axe.run(%s, {resultTypes: ['violations']})).then((r) => JSON.stringify([r.violations, r.passes.length]))`, quoted(within)))
	var violations []violation
	var passes int
	if err := json.Unmarshal([]byte(found), &[]any{&violations, &passes}); err != nil {
		b.Fatal(err)
	}
	if passes < 3 {
		b.Errorf("%s: only %d rules have found something to look at", what, passes)
	}
	for _, v := range violations {
		for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
			b.Errorf("%s: %s (%s): %s: %v %s", what, v.ID, v.Impact, v.Help, n.Target, n.Summary)
		}
	}
}

// fits looks for something that makes the whole page scroll to the side, from the narrowest phone on.
func (c *checker) fits(b *tab, what string) {
	b.Helper()
	for _, width := range []int64{320, 390, 820, 1240, 1280} {
		b.resize(width, 900)
		wide := get[string](b, `(() => {
			const root = document.documentElement;
			if (root.scrollWidth <= root.clientWidth) return '';
			const without = (kid) => { // does it fit without it?
				const was = kid.style.display;
				kid.style.setProperty('display', 'none', 'important');
				const fits = root.scrollWidth <= root.clientWidth;
				kid.style.display = was;
				return fits;
			};
			const culprit = (el) => { const kid = [...el.children].find(without); return kid ? culprit(kid) : el; };
			const found = culprit(document.body);
			return root.scrollWidth + ': ' + found.tagName + '.' + found.getAttribute('class') + ' ' + found.textContent.trim().slice(0, 80);
		})()`)
		if wide != "" {
			b.Errorf("%s does not fit into %d: %s", what, width, wide)
		}
	}
}

// Whatever the page shows in the life of a service can be used by everybody, in the dark and on a phone.
func TestEveryViewIsAccessibleAndFits(t *testing.T) {
	s := serve(t, shipped(t), nil)
	c := newChecker(t)
	b := open(t, s.url, look{})
	b.allow("404", "422", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
	b.await("#health", "Waiting for the first event")
	c.check(b, "before the first event", "html")

	at := s.send(t, login("u1", "iOS", "10.0.0.1", "RU"), login("u2", "android", "unknown", "RU"), `{"user_id":`)
	b.await("#health", "Healthy.")
	b.await("#insights", "ios")
	explain(b, at[0].Partition, at[0].Offset)
	b.await("#explain .explained", "Forwarded to")
	b.reason("transform")
	b.click(".letter-row", "")
	b.await(".letter", "mask_ip", "Original bytes")
	c.check(b, "all of it", "html")
	explain(b, at[1].Partition, at[1].Offset)
	b.await("#explain .explained", "Rejected")
	b.click(".letter .segment", "Hex")
	c.check(b, "what was rejected", "#rejected, #explain")
	explain(b, 77, 0)
	b.await("#explain .problem", "77")
	c.check(b, "a problem", "#explain .explained")

	for button, words := range map[string]string{"#keys": "Keyboard", "#pause": "Pause the whole group?", ".letter-tools .primary": "Replay this dead letter?"} {
		b.click(button, "")
		b.await("dialog", words)
		c.check(b, words, "dialog")
		b.click("dialog button", map[bool]string{true: "Close", false: "Cancel"}[button == "#keys"])
	}
	write(t, s.env["PIPELINE_FILE"], shipped(t)+"\nno: such thing\n")
	b.click("#reload", "")
	b.await("dialog", "was not loaded", "1 mistake")
	c.check(b, "a file with a mistake", "dialog")
	b.click("dialog button", "Close")
	b.await(".yaml-state", "Shown is the file in use")

	b.click("#pause", "")
	b.click("dialog button", "Pause "+s.group)
	b.await("#health", "Paused.")
	b.await("#receipts", "is paused")
	c.check(b, "a paused group, a receipt, a mistake in the file", "html")
	s.Kill()
	b.await("#stale", "This page lost the service at")
	c.check(b, "a service that is lost", "header, #stale, #health, #flow")
}
