package browser

import "testing"

func TestThePageSaysWhenItHasLostTheServiceAndComesBack(t *testing.T) {
	s := serve(t, shipped(t), nil)
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"))
	b := open(t, s.url, look{})
	b.allow("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
	b.await("#health", "Healthy.")
	b.await("#insights", "ios")
	s.Kill()
	b.await("#live-text", "not live")
	b.await("#stale", "This page lost the service at", "It tries again by itself")
	b.await("#health", "Healthy.")
	b.holds("it is said to be of the past", `getComputedStyle(document.querySelector('.health-title'), '::before').content.includes('Last known')`)
	b.holds("what was there is still there", `document.querySelector('.groups tbody').innerText.includes('ios')`)
	b.click("#pause", "")
	b.click("dialog button", "Pause "+s.group)
	b.await("dialog .form-error", "cannot be reached")
	b.click("dialog button", "Cancel")

	s.start(t)
	b.await("#live-text", "live ")
	b.holds("nothing is said to be lost", `document.querySelector('#stale').hidden`)
	b.await("#health", "Healthy.")
}
