package browser

import (
	"fmt"
	"testing"

	"data-stream-engine/test/harness"
)

const token = "a-token-that-nobody-guesses"

// instead lets the page's requests for a path end as an expression says; without an expression they go their way again.
func (b *tab) instead(path, expression string) {
	b.Helper()
	if expression == "" {
		get[bool](b, `(window.fetch = window.trueFetch, true)`)
		return
	}
	get[bool](b, fmt.Sprintf(`(() => {
		window.trueFetch ??= window.fetch;
		window.fetch = (to, how) => (to.startsWith(%s) ? (%s) : window.trueFetch(to, how));
		return true;
	})()`, quoted("api/v1/"+path), expression))
}

func TestALoginIsAskedForKeptAndEnded(t *testing.T) {
	s := serve(t, shipped(t), harness.Env{"HTTP_TOKEN": token})
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"), login("u2", "iOS", "unknown", "RU"))
	b := open(t, s.url, look{})
	b.allow("401")
	b.await(".login", "Token")
	b.holds("nothing else is shown", `!document.querySelector('main').checkVisibility() && document.activeElement.id === 'token'`)
	newChecker(t).check(b, "the login", "html")
	b.press("wrong\r")
	b.await("#token-error", "That is not the token")
	b.holds("the field is to be filled again", `document.activeElement.id === 'token' && document.activeElement.selectionEnd === 5`)
	b.instead("login", `Promise.resolve(new Response('{"title":"From another page","detail":"the Host is another one"}', {status: 403}))`)
	b.press(token + "\r")
	b.await("#token-error", "From another page. The Host is another one.")
	b.instead("login", "")
	b.fill("#token", token+"\r")
	b.await("#health", "Healthy.")
	b.press("4")
	b.await(".letter", "mask_ip", `"user_id":"u2"`)
	b.holds("no script can read the cookie or the token", `document.cookie === '' && localStorage.length + sessionStorage.length < 2 && !JSON.stringify({...localStorage}).includes('token')`)

	b.resize(1000, 700) // the receipt of what was not done must not lie over the button
	b.load()            // the login stays
	b.await("#health", "Healthy.")
	b.instead("logout", `Promise.reject(new TypeError('cut'))`)
	b.click("#foot button", "Log out")
	b.await("#receipts", "Not logged out", "cannot be reached")
	b.holds("the page goes on", `!document.querySelector('.login') && document.querySelector('main').checkVisibility()`)
	b.instead("logout", "")
	b.click("#foot button", "Log out")
	b.await(".login", "Token")
	b.load()
	b.await(".login", "Token")
	b.press(token + "\r")
	b.await("#health", "Healthy.")

	// It ends elsewhere, while somebody looks: in another tab of the same browser.
	get[bool](b, `fetch('api/v1/logout', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}).then((r) => r.ok)`)
	b.await(".login", "Token")
	b.press(token + "\r")
	b.await("#live-text", "live ")
	b.await("#health", "Healthy.")
}
