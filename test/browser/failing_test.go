package browser

import "testing"

func TestABrokerThatIsAwayIsNamedUntilItIsBack(t *testing.T) {
	s := serve(t, shipped(t), nil)
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"))
	b := open(t, s.url, look{})
	b.allow("503", "504")
	b.await("#health", "Healthy.")
	b.await("#insights", "ios")
	if err := suite.Cluster.Kill(1); err != nil {
		t.Fatal(err)
	}
	b.await("#health", "Broker away.", "Nothing is lost", "next in")
	b.await("#partitions", "broker away")
	explain(b, 0, 0)
	b.await("#explain .problem", ".")
	b.holds("the page itself is live", `!document.body.classList.contains('is-stale')`)
	b.holds("what was counted is still there", `document.querySelector('.groups tbody').innerText.includes('ios')`)
	if err := suite.Cluster.Up(1); err != nil {
		t.Fatal(err)
	}
	b.await("#health", "Healthy.")
	s.send(t, login("u2", "android", "10.0.0.1", "RU"))
	s.comesOut(t, `"user_id":"u2"`)
	b.await("#insights", "android") // when its window is the last whole one: a minute at most
	b.holds("no partition is away", `!document.querySelector('#partitions').innerText.includes('broker away')`)
}

// A mistake of the page in one place is on the console, and costs neither the other places nor the service anything.
func TestASectionThatFailsTakesNothingElseWithIt(t *testing.T) {
	s := serve(t, shipped(t), nil)
	b := open(t, s.url, look{})
	b.await("#health", "Waiting for the first event")
	b.await("#live-text", "live ")
	b.allow("a mistake of ours")
	b.instead("live", `(window.openings = (window.openings || 0) + 1, window.trueFetch(to, how))`)
	get[bool](b, `(Object.defineProperty(document.querySelector('.flow-in .metric-value'), 'textContent', {get() { throw new Error('a mistake of ours'); }}), true)`)
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"), login("bad", "iOS", "unknown", "RU"))
	b.await("#health", "Healthy.")
	b.await("#insights", "ios")
	b.await("#rejected", "transform")
	before := b.text("#live-text")
	b.holds("the page stays live", `document.querySelector('#live-text').innerText !== `+quoted(before))
	if n := get[int](b, `window.openings || 0`); n > 0 {
		t.Errorf("the page has asked for everything again %d times", n)
	}
}

func TestLettersThatCouldNotBeReadAreAskedForAgain(t *testing.T) {
	s := serve(t, shipped(t), nil)
	s.send(t, login("rare", "iOS", "unknown", "RU"))
	b := open(t, s.url, look{})
	b.await(".reason", "transform")
	b.press("4")
	b.await(".letter-row", "p")
	many := make([]string, 150) // more than the stream has in its list of the newest
	for i := range many {
		many[i] = `{"user_id":`
	}
	s.send(t, many...)
	b.await("#rejected", "151 kept")
	b.load()
	b.await("#rejected", "151 kept")
	b.instead("dead-letters?", `(window.refused = true, Promise.resolve(new Response('{}', {status: 503})))`)
	b.reason("transform")
	b.holds("it was asked for", `window.refused`)
	b.instead("dead-letters?", "")
	b.await(".reason[aria-expanded=true] + .reason-open .letter-row", "p")
}
