package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"
)

// profile starts a CPU profile of one run of ours, if profiles were asked for.
func (b *bench) profile(c contest, client client, round int) (stop func(), err error) {
	if b.profiles == "" || !client.ours() {
		return func() {}, nil
	}
	name := fmt.Sprintf("%s-%s-%d.pprof", c.name, client.name, round+1)
	f, err := os.Create(filepath.Join(b.profiles, strings.ReplaceAll(name, " ", "-")))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "profile:", err)
		}
	}, nil
}

// profileProcess takes one CPU profile of an engine after the other for as long as it runs, if profiles were asked for. What
// it returns is called when the process has ended.
func (b *bench) profileProcess(c contestant, l *life) (wait func()) {
	if b.profiles == "" || c.binary != "engine" {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; ; {
			profile, err := l.get(context.Background(), "/debug/pprof/profile?seconds=3")
			select {
			case <-l.ended: // the last one is cut off by that, and is not missed
				return
			default:
			}
			if err != nil { // its door is not open yet
				time.Sleep(10 * time.Millisecond)
				continue
			}
			name := fmt.Sprintf("%s-%d-%d.pprof", c.name, l.command.Process.Pid, n)
			if err := os.WriteFile(filepath.Join(b.profiles, name), profile, 0o600); err != nil {
				fmt.Fprintln(os.Stderr, "profile:", err)
				return
			}
			n++
		}
	}()
	return func() { <-done }
}
