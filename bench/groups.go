package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"
)

// groupsSample is a run with very many groups, and a second process that takes its state over.
type groupsSample struct {
	lifeSample

	Raw     float64 `json:"raw_cpu_us_per_event"` // of a copy of the same bytes, in the same round; 0: there was none
	Groups  int     `json:"groups"`
	GC      float64 `json:"gc_share"` // of the process's CPU
	Restore restore `json:"restore"`
}

// restore is how an instance with an empty disk got the state of all groups.
type restore struct {
	Groups  int     `json:"groups"`
	Records int     `json:"records"`
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"` // from the start of the process until it is ready
	CPU     float64 `json:"cpu_seconds"`
	Peak    int64   `json:"peak_rss_bytes"`
}

// groupsReport is everything that was measured with many groups.
type groupsReport struct {
	header

	Load    load           `json:"load"`
	Samples []groupsSample `json:"rounds"`
	API     apiSample      `json:"api"`
	Finals  finalsSample   `json:"finals"`
}

// groups fills one window with as many groups as there are users, and restores it.
func (b *bench) groups(ctx context.Context) error {
	r := &race{bench: b, seed: maphash.MakeSeed(), report: &pipelineReport{}}
	report := &groupsReport{header: newHeader(b.options)}
	if err := b.build(ctx); err != nil {
		return err
	}
	source, forget, err := r.newTopic(ctx, r.partitions)
	if err != nil {
		return err
	}
	defer forget()
	fmt.Printf("%d events of %d users go to %s\n", r.events, r.users, source)
	if r.load, err = r.fill(ctx, source, r.seed); err != nil {
		return fmt.Errorf("fill topic: %w", err)
	}
	r.source, report.Load = source, r.load
	// Round 0 is not counted: after its start a broker takes a while to compile what it does all day.
	for round := range r.rounds + 1 {
		var copied lifeSample
		if r.wants("raw") {
			if copied, err = r.life(ctx, rawCopy); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		s, err := r.crowd(ctx, func(c contestant, output string) (err error) {
			if round == r.rounds && r.wants("api") {
				report.API, err = r.api(ctx, c, output)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		s.Raw = copied.CPU
		fmt.Printf("round %d  %.3f us/event CPU, raw copy %.3f, broker %.3f, %d groups, peak %d MiB, GC %.1f %%; restore: %d records, %d MiB in %.1f s, %.1f s CPU, peak %d MiB\n", round,
			s.CPU, s.Raw, s.Broker, s.Groups, s.Peak>>20, 100*s.GC, s.Restore.Records, s.Restore.Bytes>>20, s.Restore.Seconds, s.Restore.CPU, s.Restore.Peak>>20)
		if round > 0 {
			report.Samples = append(report.Samples, s)
		}
	}
	if r.wants("finals") {
		if report.Finals, err = r.finals(ctx); err != nil {
			return fmt.Errorf("finals: %w", err)
		}
	}
	return write(b.out, report)
}

// crowd is one round. after is called while the group still exists, and nobody works for it.
func (r *race) crowd(ctx context.Context, after func(c contestant, output string) error) (groupsSample, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var s groupsSample
	c := contestant{name: "groups", binary: "engine", aggregates: true, file: "groups.yaml"}
	output, _, forget, err := r.topics(ctx)
	if err != nil {
		return s, err
	}
	defer forget()
	broker := used(r.brokerPID)
	l, err := r.start(c, commitInterval, r.source, output)
	if err != nil {
		return s, err
	}
	defer r.profileProcess(c, l)()
	err = l.during(ctx, func(ctx context.Context) error {
		if err := r.committed(ctx, output, r.source, r.events); err != nil {
			return err
		}
		return r.merged(ctx, output)
	})
	took := time.Since(l.started)
	s.Peak, s.GC = l.peak(), l.collecting()
	cpu, err := l.stop(err)
	if err != nil {
		return s, err
	}
	n := float64(r.events)
	s.CPU, s.Broker, s.Rate, s.GC = micros(cpu)/n, micros(used(r.brokerPID)-broker)/n, n/took.Seconds(), s.GC/cpu.Seconds()
	var logins int64
	if logins, s.Groups, err = r.logins(ctx, output); err != nil {
		return s, err
	}
	if logins != r.load.Forwarded {
		return s, fmt.Errorf("the insights count %d logins, it should have been %d", logins, r.load.Forwarded)
	}
	if s.Restore, err = r.takeOver(ctx, c, output); err != nil {
		return s, err
	}
	return s, after(c, output)
}

// takeOver starts a process in the group of one that has ended, and waits until it is ready.
func (r *race) takeOver(ctx context.Context, c contestant, output string) (restore, error) {
	var s restore
	l, err := r.start(c, commitInterval, r.source, output)
	if err != nil {
		return s, err
	}
	err = l.during(ctx, l.ready)
	s.Seconds, s.Peak = time.Since(l.started).Seconds(), l.peak()
	cpu, err := l.stop(err)
	if err != nil {
		return s, err
	}
	s.CPU = cpu.Seconds()
	for line := range bytes.Lines(l.log.Bytes()) {
		var said struct {
			Message                string
			Groups, Records, Bytes int
		}
		if json.Unmarshal(line, &said) == nil && said.Message == "restored windows" {
			s.Groups, s.Records, s.Bytes = s.Groups+said.Groups, s.Records+said.Records, s.Bytes+said.Bytes
		}
	}
	return s, nil
}

// address is where the process's HTTP door is, as its log says.
func (l *life) address() (string, error) {
	text, err := os.ReadFile(l.output)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`"http":"http://([^"/]+)"`).FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("the process has not said where its HTTP door is")
	}
	return string(found[1]), nil
}

// get asks the process, and gives what it answered with 200.
func (l *life) get(ctx context.Context, path string) ([]byte, error) {
	address, err := l.address()
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return body, err
}

// ready waits until the process says that it is.
func (l *life) ready(ctx context.Context) error {
	for {
		_, err := l.get(ctx, "/readyz")
		if err == nil {
			return nil
		}
		if wait(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("not ready: %w", err)
		}
	}
}

// collecting is the CPU time of the garbage collector so far, in seconds; 0 when nobody tells.
func (l *life) collecting() float64 {
	body, err := l.get(context.Background(), "/metrics")
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`(?m)^go_cpu_classes_gc_total_cpu_seconds_total (\S+)$`).FindSubmatch(body)
	if found == nil {
		return 0
	}
	seconds, _ := strconv.ParseFloat(string(found[1]), 64)
	return seconds
}

func (r *groupsReport) markdown() []byte {
	var b bytes.Buffer
	r.head(&b, "Benchmark with many groups")
	fmt.Fprintf(&b, "One window with a count and a sum for each user (bench/groups.yaml). %d events, of which %d count; the insights were summed up and held against that. ", r.Load.Events, r.Load.Forwarded)
	fmt.Fprintf(&b, "Then a second process with an empty disk took the group over.\n\n")
	fmt.Fprintf(&b, "| round | CPU us/event | raw copy us/event | to raw copy | events/s | peak MiB | GC share of CPU | groups | broker us/event | restore: records | MiB | s until ready | CPU s | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i, s := range r.Samples {
		fmt.Fprintf(&b, "| %d | %.3f | %s | %s | %.0f | %d | %.1f %% | %d | %s | %d | %d | %.1f | %.1f | %d |\n", i+1, s.CPU, known(s.Raw), known(ratio(s.CPU, s.Raw)), s.Rate, s.Peak>>20, 100*s.GC, s.Groups, known(s.Broker),
			s.Restore.Records, s.Restore.Bytes>>20, s.Restore.Seconds, s.Restore.CPU, s.Restore.Peak>>20)
	}
	cpu, raw := median(r.Samples, func(s groupsSample) float64 { return s.CPU }), median(r.Samples, func(s groupsSample) float64 { return s.Raw })
	fmt.Fprintf(&b, "\nMedians: %.3f us/event, raw copy %s: %s times as much.\n", cpu, known(raw), known(ratio(cpu, raw)))
	if len(r.API.Questions) > 0 {
		r.asked(&b)
	}
	if f := r.Finals; f.Finals > 0 {
		fmt.Fprintf(&b, "\n## Finals\n\nFrom the moment at which the watermark passes a window of 2 s and its grace until a read_committed consumer has the insight, at %d events a second (bench/finals.yaml): ", f.Rate)
		fmt.Fprintf(&b, "%d finals of %d windows, p50 %.0f ms, p99 %.0f ms, max %.0f ms. EMIT_INTERVAL is 1 s, so that up to one second of it is waiting for that.\n", f.Finals, f.Windows, f.P50, f.P99, f.Max)
	}
	return b.Bytes()
}

// asked is the part about the API.
func (r *groupsReport) asked(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## The API\n\nA process with an empty SQLite file has recorded an insight of each group within %.0f s; then it is asked %d times a second, for %s. It used %.2f of a processor for that.\n\n",
		r.API.Recording, questionRate, questionTime, r.API.CPU/questionTime.Seconds())
	fmt.Fprintf(b, "| question | asked | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|\n")
	for _, q := range r.API.Questions {
		fmt.Fprintf(b, "| %s | %d | %.1f | %.1f | %.1f |\n", q.Name, q.Count, q.P50, q.P99, q.Max)
	}
}
