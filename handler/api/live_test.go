package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/handler/guard"
	"data-stream-engine/model"
)

// tab is a page that listens. A page that hangs takes nothing any more.
type tab struct {
	*httptest.ResponseRecorder
	mu     sync.Mutex
	text   strings.Builder
	hangs  chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

func (t *tab) Write(b []byte) (int, error) {
	if t.hangs != nil {
		<-t.hangs
		return 0, errors.New("timeout")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// events are the names of the events that came so far.
func (t *tab) events() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for line := range strings.Lines(t.text.String()) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "event: "); ok {
			names = append(names, name)
		}
	}
	return names
}

func (r *rig) open(hangs chan struct{}, headers ...string) *tab {
	t := &tab{ResponseRecorder: httptest.NewRecorder(), hangs: hangs, done: make(chan struct{})}
	request := httptest.NewRequest(http.MethodGet, "/api/v1/live", nil)
	request.RemoteAddr, request.Host = "127.0.0.1:5000", "localhost"
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(request.Context())
	go func() {
		defer close(t.done)
		r.api.ServeHTTP(t, request.WithContext(ctx))
	}()
	return t
}

func count0(list []string, name string) int {
	n := 0
	for _, s := range list {
		if s == name {
			n++
		}
	}
	return n
}

func TestStreamBeginsWithEverythingAndGoesOnWithWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		one := r.open(nil)
		time.Sleep(3500 * time.Millisecond)
		got := one.events()
		if want := []string{"session", "pipeline", "status", "history", "partitions"}; !slices.Equal(got[:len(want)], want) {
			t.Errorf("%v", got)
		}
		for name, want := range map[string]int{"session": 1, "pipeline": 1, "status": 4, "rates": 3, "partitions": 4, "history": 1, "anomalies": 1, "dead_letters": 1, "marks": 0} {
			if n := count0(got, name); n != want {
				t.Errorf("%d %s in %v, want %d", n, name, got, want)
			}
		}
		r.mu.Lock()
		r.version, r.loaded, r.letter.Code = 9, time.Now(), "other"
		r.mu.Unlock()
		time.Sleep(3 * time.Second)
		got = one.events()
		if count0(got, "pipeline") != 2 || count0(got, "dead_letters") != 2 || count0(got, "anomalies") != 1 {
			t.Errorf("after a change: %v", got)
		}
		if text := one.text.String(); strings.Contains(text, "nowhere") || strings.Contains(text, `"reason":"pipe`) {
			t.Error("a stream shows what not everybody may read")
		}
		one.mu.Lock()
		body := one.text.String()
		one.mu.Unlock()
		if !strings.HasPrefix(body, "retry: 2000\n\nevent: session\n") {
			t.Errorf("it begins with %q", body[:min(len(body), 80)])
		}
		if h := one.Result().Header; h.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%v", h)
		}
		one.cancel()
		<-one.done
	})
}

// What a frame has told is in the opening of whoever comes after it: it is not told again.
func TestNewcomerSeesThePipelineThatAFrameHasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		one := r.open(nil)
		time.Sleep(1500 * time.Millisecond)
		two := r.open(nil) // what is made for it now is old at the frame
		synctest.Wait()
		r.mu.Lock()
		r.loaded, r.file = time.Now(), "another"
		r.mu.Unlock()
		time.Sleep(700 * time.Millisecond)
		late := r.open(nil)
		time.Sleep(3 * time.Second)
		for name, page := range map[string]*tab{"first": one, "second": two, "late": late} {
			page.cancel()
			<-page.done
			if !strings.Contains(page.text.String(), "another") {
				t.Errorf("the %s page has an old pipeline", name)
			}
		}
	})
}

func TestNothingIsMadeWhileNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		for range 2 {
			one := r.open(nil)
			time.Sleep(2500 * time.Millisecond)
			one.cancel()
			<-one.done
			time.Sleep(2 * time.Second)
			r.mu.Lock()
			before := r.pictures
			r.mu.Unlock()
			time.Sleep(time.Minute)
			r.mu.Lock()
			if r.pictures != before || before == 0 {
				t.Errorf("%d pictures, then %d", before, r.pictures)
			}
			r.mu.Unlock()
		}
	})
}

// Fifty pages cost what one costs, and one that takes nothing holds up no other.
func TestPagesShareFramesAndSlowOnesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		hangs := make(chan struct{})
		slow := r.open(hangs)
		var tabs []*tab
		for range 50 {
			tabs = append(tabs, r.open(nil))
		}
		time.Sleep(20*time.Second + 100*time.Millisecond)
		r.mu.Lock()
		if r.pictures > 22 {
			t.Errorf("%d pictures in 20 s for 50 pages", r.pictures)
		}
		r.mu.Unlock()
		for _, one := range tabs {
			if n := count0(one.events(), "rates"); n < 19 {
				t.Errorf("%d frames in 20 s", n)
			}
			one.cancel()
			<-one.done
		}
		r.api.live.mu.Lock()
		if n := len(r.api.live.listeners); n != 0 {
			t.Errorf("%d are still listened for", n)
		}
		r.api.live.mu.Unlock()
		close(hangs)
		<-slow.done
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		var tabs []*tab
		for range maxStreams {
			tabs = append(tabs, r.open(nil))
		}
		synctest.Wait()
		if w := r.ask("GET", "/api/v1/live", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		tabs[0].cancel()
		<-tabs[0].done
		again := r.open(nil)
		time.Sleep(time.Second)
		if len(again.events()) == 0 {
			t.Error("a place that was left is not free")
		}
		r.api.Close()
		for _, one := range append(tabs[1:], again) {
			<-one.done
			if got := one.events(); got[len(got)-1] != "goodbye" {
				t.Fatalf("%v", got)
			}
		}
		if w := r.ask("GET", "/api/v1/live", ""); w.Code != 503 {
			t.Errorf("after the end: %d", w.Code)
		}
		time.Sleep(2 * time.Second)
	})
}

func TestSilenceIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		one := &listener{frames: make(chan []byte)}
		var written []string
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		request := httptest.NewRequest("GET", "/api/v1/live", nil).WithContext(ctx)
		r.api.follow(request, one, func(b []byte) bool {
			written = append(written, string(b))
			return true
		}, []byte("first"))
		if !slices.Equal(written, []string{"first", ": still here\n\n", ": still here\n\n"}) {
			t.Errorf("%q", written)
		}
	})
}

func TestStreamEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, secret)
		login := r.ask("POST", "/api/v1/login", `{"token":"`+secret+`"}`)
		cookie := login.Result().Cookies()[0]
		one := r.open(nil, "Cookie", cookie.Name+"="+cookie.Value)
		program := r.open(nil, "Authorization", "Bearer "+secret)
		time.Sleep(2 * time.Second)
		if len(one.events()) < 5 {
			t.Fatalf("%v", one.events())
		}
		if w := r.ask("POST", "/api/v1/logout", `{}`, "Cookie", cookie.Name+"="+cookie.Value); w.Code != 200 {
			t.Fatalf("%d", w.Code)
		}
		<-one.done
		time.Sleep(3 * time.Second)
		before := len(program.events())
		time.Sleep(3 * time.Second)
		if len(program.events()) <= before {
			t.Error("the stream of a program ended as well")
		}
		program.cancel()
		<-program.done
	})
}

// A store that is away or hangs leaves the rest of the stream as it is, and is asked again.
func TestStoreThatIsAwayHoldsUpNoStream(t *testing.T) {
	for _, hang := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, "")
			r.err, r.hang = &model.Error{Class: model.Transient, Op: "query"}, hang
			one := r.open(nil)
			time.Sleep(10 * time.Second)
			if got := one.events(); count0(got, "rates") < 9 || count0(got, "dead_letters") > 0 {
				t.Errorf("%v", got)
			}
			r.mu.Lock()
			r.err, r.hang = nil, false
			r.mu.Unlock()
			time.Sleep(15 * time.Second)
			if got := one.events(); count0(got, "dead_letters") != 1 || count0(got, "anomalies") != 1 {
				t.Errorf("afterwards: %v", got)
			}
			one.cancel()
			<-one.done
		})
	}
}

func TestSessionSaysWhatOneMay(t *testing.T) {
	for _, c := range []struct {
		token string
		peer  string
		want  string
	}{
		{"", "127.0.0.1:1", `{"may_change":true,"may_read":true,"login":false}`}, {"", "10.1.2.3:1", `{"may_change":false,"may_read":false,"login":false}`},
		{secret, "127.0.0.1:1", `{"may_change":false,"may_read":false,"login":true}`},
	} {
		r := newRig(t, c.token)
		if got := strings.TrimSpace(r.ask("GET", "/api/v1/session", "", "Peer", c.peer).Body.String()); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if _, err := newRig(t, secret).api.Guard.Check(httptest.NewRequest("GET", "/", nil), guard.Access); err == nil {
		t.Error("no token is needed")
	}
}
