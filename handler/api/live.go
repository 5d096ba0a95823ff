package api

import (
	"sync"
	"time"
)

const (
	// maxStreams is how many pages may listen at a time.
	maxStreams = 256
	// liveEvery is how often a frame is made.
	liveEvery = time.Second
	// maxBehind is how many frames a reader may be behind before it is dropped.
	maxBehind = 8
)

// live makes what all open pages show: one frame a second, whose bytes they share, and only while somebody listens. A
// newcomer first gets an opening, with what changes seldom; newcomers between two frames share that too.
type live struct {
	api *API

	mu        sync.Mutex
	listeners map[*listener]bool // false: has had no opening yet
	wake      chan struct{}      // somebody came, or the end did
	running   bool
	closed    bool
}

// listener is one open page.
type listener struct {
	frames   chan []byte // closed when there is no more
	finished bool        // set before frames is closed
}

func newLive(a *API) *live {
	return &live{api: a, listeners: map[*listener]bool{}, wake: make(chan struct{}, 1)}
}

// join adds a listener, unless there are too many or this is the end.
func (l *live) join() (*listener, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.listeners) >= maxStreams {
		return nil, false
	}
	one := &listener{frames: make(chan []byte, maxBehind)}
	l.listeners[one] = false
	if !l.running {
		l.running = true
		go l.run()
	}
	l.nudge()
	return one, true
}

func (l *live) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *live) leave(one *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, one)
}

// close says goodbye to everybody.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for one := range l.listeners {
		one.finished = true
		close(one.frames)
		delete(l.listeners, one)
	}
	l.nudge()
}

// run makes frames until nobody listens.
func (l *live) run() {
	w := newWatcher(l.api)
	stop := w.start()
	defer stop()
	p := newPainter(l.api, w.lists)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		turn := false
		select {
		case <-l.wake:
		case <-tick.C:
			turn = true
		}
		if l.over() {
			return
		}
		if turn {
			l.send(p.frame(), true)
		}
		l.open(p)
	}
}

// over tells whether nobody listens any more; whoever comes next starts anew.
func (l *live) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = len(l.listeners) > 0
	return !l.running
}

// open gives newcomers their opening.
func (l *live) open(p *painter) {
	l.mu.Lock()
	waiting := false
	for _, opened := range l.listeners {
		waiting = waiting || !opened
	}
	l.mu.Unlock()
	if waiting {
		l.send(p.opening(), false)
	}
}

// send gives a frame to those that have, or have not, had their opening. Whoever is too far behind is dropped: its page
// comes back and begins anew.
func (l *live) send(frame []byte, opened bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for one, has := range l.listeners {
		if has != opened {
			continue
		}
		select {
		case one.frames <- frame:
			l.listeners[one] = true
		default:
			close(one.frames)
			delete(l.listeners, one)
		}
	}
}
