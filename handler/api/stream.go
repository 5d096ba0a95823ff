package api

import (
	"bytes"
	"net/http"
	"time"

	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/problem"
)

const (
	keepAlive = 15 * time.Second // between two signs of life, when there is nothing to say
	// writeTimeout is what a peer may take to accept a frame.
	writeTimeout = 10 * time.Second
	eventStream  = "text/event-stream"
)

// stream answers with server-sent events.
func (a *API) stream(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	rights, err := a.Guard.Check(r, guard.Access)
	if err != nil {
		return err
	}
	var first bytes.Buffer
	first.WriteString("retry: 2000\n\n")
	event(&first, "session", a.sessionOf(rights))
	if r.Method == http.MethodHead {
		head(w)
		return nil
	}
	one, ok := a.live.join()
	if !ok {
		return &problem.Document{Status: http.StatusServiceUnavailable, Type: problem.Unavailable, Title: "No more streams", Detail: "too many pages are open, or the service is stopping", RetryAfter: retryAfter}
	}
	defer a.live.leave(one)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the server's own is for requests, and would end this one
	head(w)
	a.follow(r, one, func(frame []byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := w.Write(frame)
		return err == nil && control.Flush() == nil
	}, first.Bytes())
	return nil
}

func head(w http.ResponseWriter) {
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("X-Accel-Buffering", "no") // a proxy is to pass each frame on at once
}

// follow writes frames for as long as there are any and whoever listens may.
func (a *API) follow(r *http.Request, one *listener, write func([]byte) bool, frame []byte) {
	silence := time.NewTimer(keepAlive)
	defer silence.Stop()
	for ok := write(frame); ok; ok = write(frame) {
		silence.Reset(keepAlive)
		var more bool
		select {
		case <-r.Context().Done():
			return
		case <-silence.C:
			frame = []byte(": still here\n\n")
			continue
		case frame, more = <-one.frames:
		}
		if !more {
			if one.finished {
				write([]byte("event: goodbye\ndata: {}\n\n"))
			}
			return
		}
		if r.Header.Get("Authorization") != "" { // a token stays right for as long as the process lives
			continue
		}
		if _, err := a.Guard.Check(r, guard.Access); err != nil { // logged out, or the session is over
			return
		}
	}
}
