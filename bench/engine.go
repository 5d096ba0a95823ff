package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/service/generator"
)

// build makes the engine's binary, which lies in b.dir. It comes before all that takes minutes.
func (b *bench) build(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-C", "..", "-o", filepath.Join(b.dir, "engine"), ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the engine: %w\n%s", err, out)
	}
	return nil
}

// engine runs the whole service as a process over a topic of user logins: the shipped pipeline, exactly once, from an
// empty group to the end of the topic.
func (b *bench) engine(ctx context.Context) error {
	topic, forget, err := b.newTopic(ctx, b.partitions)
	if err != nil {
		return err
	}
	defer forget()
	if err := b.fill(ctx, topic); err != nil {
		return fmt.Errorf("fill topic: %w", err)
	}
	for round := range b.rounds {
		s, err := b.process(ctx, topic)
		if err != nil {
			return err
		}
		fmt.Printf("engine round %d  %.3f us/event CPU, %.0f events/s, peak %d MiB\n", round+1, s.CPU, s.Rate, s.Peak>>20)
		b.report.Engine = append(b.report.Engine, s)
	}
	return nil
}

// processSample is one life of an engine's process.
type processSample struct {
	CPU  float64 `json:"cpu_us_per_event"`  // the whole life, start and stop included
	Rate float64 `json:"events_per_second"` // from the start of the process to the last commit
	Peak int64   `json:"peak_rss_bytes"`    // 0: this system does not tell
}

// fill writes user logins as the generator makes them, broken ones as well.
func (b *bench) fill(ctx context.Context, topic string) error {
	c, err := b.connect(nil)
	if err != nil {
		return err
	}
	defer c.close()
	p := repository.NewProducer(c.client, c.retry, repository.NewPool(batchBytes), repository.ProducerConfig{})
	if err := p.Init(ctx); err != nil {
		return err
	}
	config := generator.Default()
	config.Seed, config.Start, config.Step = 1, time.UnixMilli(1_700_000_000_000), time.Millisecond
	g := generator.New(config)
	out := p.Outbox([]string{topic}, []int32{int32(b.partitions)}, []model.TopicPartition{origin})
	m := model.Message{Topic: origin.Topic}
	var room []byte
	for i := range b.events {
		e := g.Next(room[:0])
		room, m.Timestamp = e.Value, e.Time.UnixMilli()
		value := out.Open(0, int32(i%b.partitions), &m, e.Key, len(e.Value))
		out.Close(append(value, e.Value...), nil)
		if out.Bytes() >= b.partitions*batchBytes || i == b.events-1 {
			if err := deliver(ctx, out.Take()); err != nil {
				return err
			}
		}
	}
	return nil
}

// process starts an engine of a group of its own, waits until it has committed everything, and stops it.
func (b *bench) process(ctx context.Context, source string) (processSample, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	output, forget, err := b.newTopic(ctx, b.partitions)
	if err != nil {
		return processSample{}, err
	}
	defer forget()
	pipeline, err := filepath.Abs("../pipeline.yaml")
	if err != nil {
		return processSample{}, err
	}
	var log bytes.Buffer
	c := exec.CommandContext(ctx, filepath.Join(b.dir, "engine"))
	c.Dir, c.Stdout, c.Stderr = b.dir, &log, &log
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 15 * time.Second
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "KAFKA_BOOTSTRAP_SERVERS=" + b.bootstrap, "KAFKA_SOURCE_TOPIC=" + source, "KAFKA_OUTPUT_TOPIC=" + output,
		"KAFKA_GROUP_ID=" + output, "KAFKA_AUTO_CREATE_TOPICS=true", "PIPELINE_FILE=" + pipeline, "DATA_DIR=" + b.dir,
		"HASH_KEY=a key for benchmarks only", "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json",
	}
	started := time.Now()
	if err := c.Start(); err != nil {
		return processSample{}, err
	}
	err = b.committed(ctx, output, source)
	took := time.Since(started)
	peak := peakMemory(c.Process.Pid)
	if stopErr := c.Process.Signal(syscall.SIGTERM); err == nil {
		err = stopErr
	}
	if waitErr := c.Wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		return processSample{}, fmt.Errorf("engine: %w\n%s", err, log.Bytes())
	}
	used := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	n := float64(b.events)
	return processSample{CPU: float64(used.Nanoseconds()) / 1000 / n, Rate: n / took.Seconds(), Peak: peak}, nil
}

// committed waits until a group has committed the end of a topic.
func (b *bench) committed(ctx context.Context, group, topic string) error {
	for {
		offsets, err := b.admin.FetchOffsets(ctx, group)
		if err == nil {
			err = offsets.Error()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the group has not come to the end of the topic: %w", ctx.Err())
		}
		var sum int64
		offsets.Each(func(o kadm.OffsetResponse) {
			if o.Topic == topic {
				sum += o.At
			}
		})
		if err == nil && sum >= int64(b.events) {
			return nil
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// peakMemory is the most memory that a process ever had, 0 where there is no /proc. What the process is told to have
// used when it has ended would count the memory of its parent, from before exec.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}
