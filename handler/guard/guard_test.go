package guard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const token = "correct horse battery"

func guarded(t *testing.T, token string) *Guard {
	t.Helper()
	g, err := New(token)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// from is a request of a peer under a name, with headers as name, value, ...
func from(peer, host string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/v1/status", nil)
	r.RemoteAddr, r.Host = peer, host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func status(err error) int {
	if d, ok := errors.AsType[*Denied](err); ok {
		return d.Status
	}
	return http.StatusOK
}

// Without a token being on this machine is the right; whatever came through a proxy or under another name is not.
func TestWithoutATokenOnlyThisMachineMayChangeAndRead(t *testing.T) {
	g := guarded(t, "")
	for _, c := range []struct {
		name           string
		r              *http.Request
		access, change int
	}{
		{"IPv4", from("127.0.0.1:5000", "127.0.0.1:8080"), 200, 200},
		{"name", from("127.0.0.1:5000", "localhost:8080"), 200, 200},
		{"name without port", from("127.0.0.1:5000", "LocalHost"), 200, 200},
		{"IPv6", from("[::1]:5000", "[::1]:8080"), 200, 200},
		{"IPv6 without port", from("[::1]:5000", "[::1]"), 200, 200},
		{"IPv4 in IPv6", from("[::ffff:127.0.0.1]:5000", "127.0.0.1"), 200, 200},
		{"other loopback peer", from("127.9.9.9:5000", "localhost"), 200, 200},
		{"other loopback name", from("127.0.0.1:5000", "127.0.0.2:8080"), 200, 403},
		{"other machine", from("10.1.2.3:5000", "localhost:8080"), 200, 403},
		{"other machine, own name", from("10.1.2.3:5000", "engine.example:8080"), 200, 403},
		{"other machine, IPv6", from("[2001:db8::1]:5000", "[::1]:8080"), 200, 403},
		{"other machine, link local", from("[fe80::1%eth0]:5000", "localhost"), 200, 403},
		{"proxy", from("127.0.0.1:5000", "localhost", "X-Forwarded-For", "10.1.2.3"), 200, 403},
		{"proxy that says it is us", from("127.0.0.1:5000", "localhost", "X-Forwarded-For", "127.0.0.1"), 200, 403},
		{"proxy, host only", from("127.0.0.1:5000", "localhost", "X-Forwarded-Host", "a.example"), 200, 403},
		{"proxy, RFC 7239", from("127.0.0.1:5000", "localhost", "Forwarded", "for=10.1.2.3"), 200, 403},
		{"proxy, Via", from("127.0.0.1:5000", "localhost", "Via", "1.1 cache"), 200, 403},
		{"proxy, real ip", from("127.0.0.1:5000", "localhost", "X-Real-IP", "10.1.2.3"), 200, 403},
		{"rebound name", from("127.0.0.1:5000", "attacker.example:8080"), 403, 403},
		{"rebound name that looks like ours", from("127.0.0.1:5000", "localhost.attacker.example"), 403, 403},
		{"rebound name with our address", from("127.0.0.1:5000", "127.0.0.1.nip.example:8080"), 403, 403},
		{"rebound name that plays a proxy", from("127.0.0.1:5000", "attacker.example", "X-Forwarded-For", "10.1.2.3"), 403, 403},
		{"no name", from("127.0.0.1:5000", ""), 403, 403},
		{"a port that is none", from("127.0.0.1:5000", "localhost:http"), 403, 403},
		{"user info", from("127.0.0.1:5000", "localhost:80@attacker.example"), 403, 403},
		{"peer that is none", from("@", "localhost"), 200, 403},
	} {
		for need, want := range map[Need]int{Nothing: 200, Access: c.access, Read: c.change, Change: c.change} {
			if _, err := g.Check(c.r, need); status(err) != want {
				t.Errorf("%s: need %d: %v, want %d", c.name, need, err, want)
			}
		}
	}
}

func TestWithATokenItIsNeededEverywhere(t *testing.T) {
	g := guarded(t, token)
	for _, c := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"right", from("10.1.2.3:5000", "engine.example", "Authorization", "Bearer "+token), 200},
		{"right, scheme in small letters", from("10.1.2.3:5000", "engine.example", "Authorization", "bearer "+token), 200},
		{"right, through a proxy", from("127.0.0.1:5000", "engine.example", "Authorization", "Bearer "+token, "X-Forwarded-For", "1.2.3.4"), 200},
		{"none on this machine", from("127.0.0.1:5000", "localhost"), 401},
		{"wrong", from("127.0.0.1:5000", "localhost", "Authorization", "Bearer "+token+"x"), 401},
		{"a part of it", from("127.0.0.1:5000", "localhost", "Authorization", "Bearer "+token[:len(token)-1]), 401},
		{"empty", from("127.0.0.1:5000", "localhost", "Authorization", "Bearer "), 401},
		{"other scheme", from("127.0.0.1:5000", "localhost", "Authorization", "Basic "+token), 401},
		{"no scheme", from("127.0.0.1:5000", "localhost", "Authorization", token), 401},
		{"as a cookie", from("127.0.0.1:5000", "localhost", "Cookie", g.sessions.name+"="+token), 401},
	} {
		for _, need := range []Need{Access, Read, Change} {
			_, err := g.Check(c.r, need)
			if status(err) != c.want {
				t.Errorf("%s: %v, want %d", c.name, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("%s: the error shows the token: %v", c.name, err)
			}
		}
		if _, err := g.Check(c.r, Nothing); err != nil {
			t.Errorf("%s: what needs nothing: %v", c.name, err)
		}
	}
}

func TestSessionIsNoTokenAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guarded(t, token)
		w := httptest.NewRecorder()
		if err := g.LogIn(w, from("10.1.2.3:5000", "engine.example"), token); err != nil {
			t.Fatal(err)
		}
		cookies := w.Result().Cookies()
		if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Path != "/" || cookies[0].Secure ||
			cookies[0].MaxAge != 0 || strings.Contains(cookies[0].Value, token) {
			t.Fatalf("%v", cookies)
		}
		with := func(value string) *http.Request {
			r := from("10.9.9.9:5000", "engine.example")
			r.AddCookie(&http.Cookie{Name: cookies[0].Name, Value: value})
			return r
		}
		good := cookies[0].Value
		if _, err := g.Check(with(good), Change); err != nil {
			t.Errorf("with a session: %v", err)
		}
		if _, err := guarded(t, token).Check(with(good), Change); err != nil {
			t.Errorf("another replica, or this one after a restart: %v", err)
		}
		if _, err := guarded(t, token+"2").Check(with(good), Access); status(err) != 401 {
			t.Errorf("after the token was changed: %v", err)
		}
		for i := range len(good) {
			bad := []byte(good)
			bad[i] = 'A' + (bad[i]-'A'+1)%26
			if _, err := g.Check(with(string(bad)), Access); i < len(good)-1 && string(bad) != good && status(err) != 401 { // the last sign has bits that mean nothing
				t.Fatalf("with sign %d changed: %v", i, err)
			}
		}
		time.Sleep(sessionLength - time.Second)
		if _, err := g.Check(with(good), Change); err != nil {
			t.Errorf("shortly before its end: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := g.Check(with(good), Access); status(err) != 401 {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestLogOutEndsTheSessionNotOnlyTheCookie(t *testing.T) {
	g := guarded(t, token)
	w := httptest.NewRecorder()
	if err := g.LogIn(w, from("10.1.2.3:5000", "engine.example"), token); err != nil {
		t.Fatal(err)
	}
	r := from("10.1.2.3:5000", "engine.example")
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	g.LogOut(w, r)
	if c := w.Result().Cookies(); len(c) != 2 || c[0].MaxAge >= 0 || c[0].Value != "" || c[1].MaxAge >= 0 || c[1].Value != "" || c[0].Name == c[1].Name {
		t.Errorf("%v", c)
	}
	if _, err := g.Check(r, Access); status(err) != 401 {
		t.Errorf("the old cookie: %v", err)
	}
}

// A browser has two cookies for a host that it has visited with TLS and without.
func TestOneGoodSessionIsEnoughAndLogOutEndsBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guarded(t, token)
		both := from("10.1.2.3:5000", "engine.example")
		for _, scheme := range []string{"https", "http"} {
			w := httptest.NewRecorder()
			if err := g.LogIn(w, from("10.1.2.3:5000", "engine.example", "X-Forwarded-Proto", scheme), token); err != nil {
				t.Fatal(err)
			}
			both.AddCookie(w.Result().Cookies()[0])
			time.Sleep(sessionLength / 2)
		}
		if len(both.Cookies()) != 2 {
			t.Fatal(both.Cookies())
		}
		if _, err := g.Check(both, Access); err != nil {
			t.Errorf("the first one is over, the second is not: %v", err)
		}
		w := httptest.NewRecorder()
		_ = g.LogIn(w, both, token)
		third := from("10.1.2.3:5000", "engine.example")
		third.AddCookie(w.Result().Cookies()[0])
		g.LogOut(httptest.NewRecorder(), both)
		for _, c := range both.Cookies() {
			one := from("10.1.2.3:5000", "engine.example")
			one.AddCookie(c)
			if _, err := g.Check(one, Access); status(err) != 401 {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
		if _, err := g.Check(third, Access); err != nil {
			t.Errorf("another session of the same browser: %v", err)
		}
	})
}

func TestRevokedSessionsAreBounded(t *testing.T) {
	g := guarded(t, token)
	for range maxRevoked + 50 {
		r := from("10.1.2.3:5000", "engine.example")
		r.AddCookie(&http.Cookie{Name: g.sessions.name, Value: g.sessions.make(time.Now())})
		g.sessions.mu.Lock()
		full := len(g.sessions.revoked) >= maxRevoked
		g.sessions.mu.Unlock()
		if !full { // going through all of them each time would take long
			one := g.sessions.read(r)[0]
			g.sessions.revoked[one.id] = one.end
			continue
		}
		g.LogOut(httptest.NewRecorder(), r)
		if _, err := g.Check(r, Access); status(err) != 401 {
			t.Fatal("the newest one was forgotten")
		}
	}
	if n := len(g.sessions.revoked); n != maxRevoked {
		t.Errorf("%d are kept", n)
	}
}

func TestCookieIsSecureUnderTLS(t *testing.T) {
	g := guarded(t, token)
	for _, r := range []*http.Request{httptest.NewRequest(http.MethodPost, "https://engine.example/api/v1/login", nil), from("127.0.0.1:1", "engine.example", "X-Forwarded-Proto", "https")} {
		w := httptest.NewRecorder()
		if err := g.LogIn(w, r, token); err != nil {
			t.Fatal(err)
		}
		c := w.Result().Cookies()[0]
		if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") || c.Domain != "" || c.Path != "/" {
			t.Errorf("%v", c)
		}
		again := from("10.1.2.3:5000", "engine.example")
		again.AddCookie(c)
		if _, err := g.Check(again, Change); err != nil {
			t.Error(err)
		}
	}
}

func TestThereIsNothingToLogInToWithoutAToken(t *testing.T) {
	g := guarded(t, "")
	w := httptest.NewRecorder()
	if err := g.LogIn(w, from("127.0.0.1:5000", "localhost"), "x"); status(err) != http.StatusConflict {
		t.Errorf("%v", err)
	}
	g.LogOut(w, from("127.0.0.1:5000", "localhost"))
	if len(w.Result().Cookies()) != 0 {
		t.Error("a cookie without a token")
	}
}

// Whoever is wrong too often waits, longer each time, and keeps nobody else out.
func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guarded(t, token)
		guess := 0
		wrong := func() *http.Request {
			guess++
			return from("10.1.2.3:5000", "engine.example", "Authorization", "Bearer wrong "+strconv.Itoa(guess))
		}
		right := from("10.1.2.3:6000", "engine.example", "Authorization", "Bearer "+token)
		for i := range freeAttempts {
			if _, err := g.Check(wrong(), Access); status(err) != 401 {
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		var waits []string
		for range 9 {
			_, err := g.Check(right, Access) // not looked at: otherwise waiting would stop nobody
			var d *Denied
			if !errors.As(err, &d) || d.Status != http.StatusTooManyRequests {
				t.Fatalf("after %v: %v", waits, err)
			}
			waits = append(waits, d.RetryAfter.String())
			time.Sleep(d.RetryAfter)
			if _, err := g.Check(wrong(), Access); status(err) != 401 {
				t.Fatalf("after %v: %v", waits, err)
			}
		}
		if got := strings.Join(waits, " "); got != "1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s" {
			t.Errorf("waits: %s", got)
		}
		for _, other := range []*http.Request{
			from("10.1.2.4:5000", "engine.example", "Authorization", "Bearer "+token),
			from("127.0.0.1:5000", "localhost:8080", "Authorization", "Bearer "+token),
		} {
			if _, err := g.Check(other, Change); err != nil {
				t.Errorf("%s: %v", other.RemoteAddr, err)
			}
		}
		time.Sleep(time.Minute)
		if _, err := g.Check(right, Access); err != nil {
			t.Errorf("the right one, after the wait: %v", err)
		}
		time.Sleep(attemptsForget + time.Second)
		for range freeAttempts {
			if _, err := g.Check(wrong(), Access); status(err) != 401 {
				t.Errorf("after a long time: %v", err)
			}
		}
	})
}

// A job with an old token keeps nobody out who comes through the same proxy, and forgetting is not put off by it.
func TestTheSameWrongTokenAgainIsNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guarded(t, token)
		ask := func(token string) int {
			_, err := g.Check(from("10.1.2.3:5000", "engine.example", "Authorization", "Bearer "+token), Access)
			return status(err)
		}
		for range 10 * freeAttempts {
			for i := range maxKnown {
				if got := ask("old " + strconv.Itoa(i)); got != 401 {
					t.Fatal(got)
				}
			}
			if got := ask(token); got != 200 {
				t.Fatalf("the right one: %d", got)
			}
		}
		for i := range freeAttempts - maxKnown {
			_ = ask("guess " + strconv.Itoa(i))
		}
		if got := ask(token); got != 429 {
			t.Errorf("after as many guesses as are free: %d", got)
		}
	})
}

func TestNobodyOnThisMachineWaitsForOthersOrThemselves(t *testing.T) {
	g := guarded(t, token)
	for i := range 10 * freeAttempts {
		wrong := "Bearer wrong " + strconv.Itoa(i)
		if _, err := g.Check(from("127.0.0.1:5000", "localhost", "Authorization", wrong), Access); status(err) != 401 {
			t.Fatal(err)
		}
		_, _ = g.Check(from("127.0.0.1:5000", "localhost", "Authorization", wrong, "X-Forwarded-For", "1.2.3.4"), Access)
	}
	if _, err := g.Check(from("127.0.0.1:5000", "localhost", "Authorization", "Bearer "+token), Change); err != nil {
		t.Error(err)
	}
	if _, err := g.Check(from("127.0.0.1:5000", "localhost", "Authorization", "Bearer "+token, "X-Forwarded-For", "1.2.3.4"), Change); status(err) != 429 {
		t.Errorf("through a proxy on this machine: %v", err)
	}
}

func TestGuessersAreToldApartInBoundedMemory(t *testing.T) {
	g := guarded(t, token)
	for i := range maxPeers + 500 {
		peer := "10." + strconv.Itoa(i>>16) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255) + ":1"
		_, _ = g.Check(from(peer, "engine.example", "Authorization", "Bearer wrong"), Access)
	}
	if n := len(g.attempts.peers); n != maxPeers+1 {
		t.Errorf("%d addresses are kept", n)
	}
	// An IPv6 host has a /64 of addresses.
	g = guarded(t, token)
	for i := range freeAttempts {
		_, _ = g.Check(from("[2001:db8::"+strconv.Itoa(i+1)+"]:1", "engine.example", "Authorization", "Bearer wrong "+strconv.Itoa(i)), Access)
	}
	if _, err := g.Check(from("[2001:db8::ffff]:1", "engine.example", "Authorization", "Bearer wrong"), Access); status(err) != 429 {
		t.Errorf("%v", err)
	}
}
