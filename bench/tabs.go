package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tabsSample is an engine at a steady rate, with nobody who looks and with pages open.
type tabsSample struct {
	Alone   float64 `json:"cpu_percent_alone"` // of one core
	Watched float64 `json:"cpu_percent_watched"`
	Frames  int64   `json:"frames_per_second"` // that all pages have got together
	Answers int64   `json:"answers_per_second"`
	Bytes   int64   `json:"bytes_per_second"`
}

// tabsReport is what open pages cost.
type tabsReport struct {
	header

	Tabs    int          `json:"tabs"`
	Rate    int          `json:"events_per_second"`
	Seconds float64      `json:"seconds"` // of each measurement
	Samples []tabsSample `json:"rounds"`
}

// table is what a page asks for while the insights are in view, as handler/web/files/js/insights.js does.
const table = "/api/v1/insights/groups?aggregate=logins_by_device&measure=logins&limit=12&windows=30"

// tabs measures one engine that processes events at a steady rate, with and without open pages in turns.
func (b *bench) tabs(ctx context.Context) error {
	r := &race{bench: b, seed: maphash.MakeSeed(), report: &pipelineReport{}}
	report := &tabsReport{header: newHeader(b.options), Tabs: b.open, Rate: b.rate, Seconds: b.steady.Seconds()}
	if err := b.build(ctx); err != nil {
		return err
	}
	output, _, forget, err := r.topics(ctx)
	if err != nil {
		return err
	}
	defer forget()
	source, forgetSource, err := r.newTopic(ctx, r.partitions)
	if err != nil {
		return err
	}
	defer forgetSource()
	// So that the tables are as long as they get: the windows of the last half hour.
	b.begin = time.Now().Add(-time.Duration(b.events) * time.Millisecond)
	if _, err := r.fill(ctx, source, r.seed); err != nil {
		return fmt.Errorf("fill topic: %w", err)
	}
	l, err := r.start(contestant{name: "insights", binary: "engine", aggregates: true}, commitInterval, source, output)
	if err != nil {
		return err
	}
	err = l.during(ctx, func(ctx context.Context) error {
		if err := r.committed(ctx, output, source, r.events); err != nil {
			return err
		}
		return r.turns(ctx, l, source, report)
	})
	if _, err = l.stop(err); err != nil {
		return err
	}
	return write(b.out, report)
}

// turns is all rounds.
func (r *race) turns(ctx context.Context, l *life, source string, report *tabsReport) error {
	feed, err := r.feed(ctx, source)
	if err != nil {
		return err
	}
	defer feed.close()
	if err := wait(ctx, 2*warmUp); err != nil {
		return err
	}
	for round := range r.rounds {
		var s tabsSample
		order := []int{0, r.open}
		if round%2 == 1 {
			order = []int{r.open, 0}
		}
		for _, tabs := range order {
			if err := r.look(ctx, l, tabs, &s); err != nil {
				return fmt.Errorf("round %d, %d tabs: %w", round+1, tabs, err)
			}
		}
		fmt.Printf("round %d  %.1f %% of a core alone, %.1f %% with %d tabs (%d frames, %d tables, %d kB a second)\n", round+1, s.Alone, s.Watched, r.open, s.Frames, s.Answers, s.Bytes/1000)
		report.Samples = append(report.Samples, s)
	}
	_, err = feed.stop()
	return err
}

// seen is what pages have got.
type seen struct{ frames, answers, bytes atomic.Int64 }

// look measures one turn.
func (r *race) look(ctx context.Context, l *life, tabs int, s *tabsSample) error {
	address, err := l.address()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var open sync.WaitGroup
	var got seen
	failed := make(chan error, tabs)
	for range tabs {
		open.Go(func() {
			if err := got.page(ctx, "http://"+address); err != nil && ctx.Err() == nil {
				failed <- err
			}
		})
	}
	defer open.Wait()
	defer stop()
	if err := wait(ctx, warmUp); err != nil { // until all of them have had what they get once
		return err
	}
	frames, answers, size, begin, cpu := got.frames.Load(), got.answers.Load(), got.bytes.Load(), time.Now(), used(l.command.Process.Pid)
	select {
	case err := <-failed:
		return err
	case <-time.After(r.steady):
	case <-ctx.Done():
		return ctx.Err()
	}
	took, cpu := time.Since(begin).Seconds(), used(l.command.Process.Pid)-cpu
	percent := 100 * cpu.Seconds() / took
	if tabs == 0 {
		s.Alone = percent
		return nil
	}
	per := func(n int64) int64 { return int64(float64(n)/took + 0.5) }
	s.Watched, s.Frames, s.Answers, s.Bytes = percent, per(got.frames.Load()-frames), per(got.answers.Load()-answers), per(got.bytes.Load()-size)
	if s.Frames < int64(tabs)*9/10 || s.Answers < int64(tabs)*9/10 {
		return fmt.Errorf("%d tabs got %d frames and %d tables a second", tabs, s.Frames, s.Answers)
	}
	return nil
}

// page is an open page: it listens, and asks for the table with every frame.
func (g *seen) page(ctx context.Context, service string) error {
	transport := &http.Transport{} // connections of its own, as another browser has
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	stream, err := ask(ctx, client, service+"/api/v1/live")
	if err != nil {
		return err
	}
	defer stream.Close()
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadString('\n')
		g.bytes.Add(int64(len(line)))
		if err != nil {
			return fmt.Errorf("the stream has ended: %w", err)
		}
		if strings.TrimSpace(line) != "event: rates" {
			continue
		}
		g.frames.Add(1)
		answer, err := ask(ctx, client, service+table)
		if err != nil {
			return err
		}
		size, err := io.Copy(io.Discard, answer)
		if err := errors.Join(err, answer.Close()); err != nil {
			return err
		}
		g.bytes.Add(size)
		g.answers.Add(1)
	}
}

func ask(ctx context.Context, client *http.Client, address string) (io.ReadCloser, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", address, answer.Status), answer.Body.Close())
	}
	return answer.Body, nil
}

func (r *tabsReport) markdown() []byte {
	var b bytes.Buffer
	r.head(&b, "What open dashboards cost")
	fmt.Fprintf(&b, "One engine with the shipped pipeline at %d events a second; nobody looks, then %d tabs do, in turns of %.0f s. Each tab holds its stream of events open and asks for the table of groups with every frame, once a second.\n\n", r.Rate, r.Tabs, r.Seconds)
	fmt.Fprintf(&b, "| round | %% of a core, alone | with tabs | the tabs | ratio | frames/s | tables/s | kB/s |\n|---|---|---|---|---|---|---|---|\n")
	for i, s := range r.Samples {
		fmt.Fprintf(&b, "| %d | %.1f | %.1f | %.1f | %.2f | %d | %d | %d |\n", i+1, s.Alone, s.Watched, s.Watched-s.Alone, s.Watched/s.Alone, s.Frames, s.Answers, s.Bytes/1000)
	}
	alone, watched := median(r.Samples, func(s tabsSample) float64 { return s.Alone }), median(r.Samples, func(s tabsSample) float64 { return s.Watched })
	fmt.Fprintf(&b, "\nMedians: %.1f %% of a core alone, %.1f %% with tabs: they cost %.1f %% of a core.\n", alone, watched, watched-alone)
	return b.Bytes()
}
