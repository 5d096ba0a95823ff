package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// header says what was measured, where and when.
type header struct {
	When     string   `json:"when"`
	Command  string   `json:"command"`
	Machine  machine  `json:"machine"`
	Versions []string `json:"versions"`
}

// report is everything that was measured of the Kafka layer.
type report struct {
	header

	Contests []contestReport `json:"contests,omitempty"`
	Commits  []commitSeries  `json:"commits,omitempty"`
}

type machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Load  string `json:"load_at_start,omitempty"`
}

type contestReport struct {
	Name    string         `json:"name"`
	Target  float64        `json:"target_us_per_event,omitempty"`
	Events  int            `json:"events"`
	Clients []clientReport `json:"clients"`
}

type clientReport struct {
	Name    string   `json:"name"`
	Median  float64  `json:"median_cpu_us_per_event"`
	Ratio   float64  `json:"ratio_to_ours"`
	Samples []sample `json:"samples"`
}

func newHeader(o options) header {
	h := header{When: time.Now().UTC().Format(time.RFC3339), Command: o.command, Machine: thisMachine()}
	h.Versions = []string{"Kafka " + os.Getenv("KAFKA_VERSION"), runtime.Version()}
	if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil { // none in a tarball
		h.Versions = append([]string{"data-stream-engine " + strings.TrimSpace(string(commit))}, h.Versions...)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if slices.Contains([]string{"github.com/segmentio/kafka-go", "github.com/twmb/franz-go", "github.com/goccy/go-json"}, d.Path) {
				h.Versions = append(h.Versions, d.Path+" "+d.Version)
			}
		}
	}
	return h
}

func thisMachine() machine {
	m := machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), OS: runtime.GOOS}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := regexp.MustCompile(`model name\s*:\s*(.*)`).FindSubmatch(text); name != nil {
			m.CPU = string(name[1])
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	return m
}

func (r *report) contest(c contest, samples [][]sample) {
	cpu := func(s sample) float64 { return s.CPU }
	report := contestReport{Name: c.name, Target: c.target, Events: c.events}
	for i, client := range c.clients {
		m := median(samples[i], cpu)
		report.Clients = append(report.Clients, clientReport{Name: client.name, Median: m, Ratio: m / median(samples[0], cpu), Samples: samples[i]})
	}
	r.Contests = append(r.Contests, report)
}

// write prints a report and, with a name, leaves it in two files.
func write(name string, report interface{ markdown() []byte }) error {
	text := report.markdown()
	fmt.Printf("\n%s", text)
	if name == "" {
		return nil
	}
	numbers, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".json", append(numbers, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(name+".md", text, 0o644)
}

func (r *report) markdown() []byte {
	var b bytes.Buffer
	r.head(&b, "Benchmark of the Kafka layer")
	fmt.Fprintf(&b, "CPU is user and system time of the process that runs the client; medians of rounds in alternation. Broker and clients share the machine: compare the ratios.\n")
	for _, c := range r.Contests {
		r.contestTable(&b, c)
	}
	if len(r.Commits) > 0 {
		fmt.Fprintf(&b, "\n## Commit, %d records a partition\n\nFrom the first Produce to the answer to EndTxn; target: p50 at most 15 ms, a try after code 51 within 2 ms.\n\n", commitRecords)
		fmt.Fprintf(&b, "| every | partitions | p50 ms | p99 ms | sent ahead, p50 ms | code 51 | backoff p50, max ms | above 2 ms | other retries |\n|---|---|---|---|---|---|---|---|---|\n")
		for _, s := range r.Commits {
			fmt.Fprintf(&b, "| %d ms | %d | %.1f | %.1f | %.1f | %d in %d | %.2f, %.2f | %d | %d |\n", s.EveryMillis, s.Partitions, s.P50, s.P99, s.AheadP50, s.Busy, s.Transactions, s.BackoffP50, s.BackoffMax, s.BackoffLate, s.Retries)
		}
	}
	return b.Bytes()
}

func (h *header) head(b *bytes.Buffer, title string) {
	fmt.Fprintf(b, "# %s, %s\n\n`%s` on %s, %d cores, %s; load at the start %s. %s.\n", title, h.When, h.Command, h.Machine.CPU, h.Machine.Cores, h.Machine.OS, h.Machine.Load, strings.Join(h.Versions, ", "))
}

func (r *report) contestTable(b *bytes.Buffer, c contestReport) {
	title := strings.ToUpper(c.Name[:1]) + c.Name[1:]
	fmt.Fprintf(b, "\n## %s, %d events of 230 bytes\n\n", title, c.Events)
	if c.Target > 0 {
		fmt.Fprintf(b, "Target for ours: at most %.2f us of CPU an event.\n\n", c.Target)
	}
	fmt.Fprintf(b, "| client | CPU us/event, median | rounds | to ours | allocations/event |\n|---|---|---|---|---|\n")
	for _, client := range c.Clients {
		low, high := client.Samples[0].CPU, client.Samples[0].CPU
		for _, s := range client.Samples {
			low, high = min(low, s.CPU), max(high, s.CPU)
		}
		fmt.Fprintf(b, "| %s | %.3f | %.3f to %.3f | %.2f | %.3f |\n", client.Name, client.Median, low, high, client.Ratio,
			median(client.Samples, func(s sample) float64 { return s.Mallocs }))
	}
}
