package browser

import "testing"

// Behind a proxy and without a token the page looks, and changes nothing.
func TestWithoutRightsThePageOnlyLooks(t *testing.T) {
	s := serve(t, shipped(t), nil)
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"), login("secret-user", "iOS", "secret-address", "RU"))
	b := open(t, s.url, look{headers: map[string]string{"X-Forwarded-For": "192.0.2.7"}})
	b.allow("403")
	b.await("#health", "Healthy.")
	b.await("#foot", "Read only")
	b.holds("nothing can be changed", `document.querySelector('#pause').disabled && document.querySelector('#reload').disabled`)
	b.await("#rejected", "transform")
	b.press("4")
	b.await(".letter", "withheld", "Needs the token. The content of events is shown only with HTTP_TOKEN")
	b.holds("letters cannot be replayed", `[...document.querySelectorAll('.letter-tools .primary, .reason-tools .button')].every((e) => e.disabled)`)
	b.press("p")
	explain(b, 0, 0)
	b.await("#explain .problem", "token")
	b.holds("no content is on the page", `!document.body.innerText.includes('secret-') && !document.querySelector('dialog')`)
}
