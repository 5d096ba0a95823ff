package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// pipelineFile is the file of a contestant: the shipped one, or what stands in it before its aggregates.
func (b *bench) pipelineFile(c contestant) (string, error) {
	if c.file != "" {
		return filepath.Abs(c.file)
	}
	shipped, err := filepath.Abs("../pipeline.yaml")
	if err != nil || c.aggregates {
		return shipped, err
	}
	text, err := os.ReadFile(shipped)
	if err != nil {
		return "", err
	}
	text, _, _ = bytes.Cut(text, []byte("\naggregates:"))
	file := filepath.Join(b.dir, "pipeline.yaml")
	return file, os.WriteFile(file, append(text, '\n'), 0o600)
}

// derived are the topics of a group's aggregates.
func derived(group string) []string {
	return []string{group + "-partials", group + "-changelog", group + "-insights"}
}

// forgetDerived deletes them, if there are any.
func (b *bench) forgetDerived(ctx context.Context, group string) {
	for _, topic := range derived(group) {
		_, _ = b.admin.DeleteTopic(context.WithoutCancel(ctx), topic) // most contestants have none
	}
}

// merged waits until a group has merged all partials. Behind the last ones lies the marker of their transaction, which
// nobody has a reason to commit.
func (b *bench) merged(ctx context.Context, group string) error {
	topic := group + "-partials"
	for {
		left, err := b.unmerged(ctx, group, topic)
		if err == nil && left == 0 {
			return nil
		}
		if wait(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("%d partials are not merged: %w, %w", left, ctx.Err(), err)
		}
	}
}

func (b *bench) unmerged(ctx context.Context, group, topic string) (left int64, err error) {
	ends, err := b.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	offsets, err := b.admin.FetchOffsets(ctx, group)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return 0, err
	}
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := offsets.Lookup(topic, end.Partition)
		left += max(end.Offset-max(at.At, 0)-1, 0)
	})
	return left, nil
}

// counted holds the insights against the load: whatever the windows, each event that was forwarded counts once.
func (r *race) counted(ctx context.Context, group string) error {
	logins, _, err := r.logins(ctx, group)
	if err == nil && logins != r.load.Forwarded {
		err = fmt.Errorf("the insights count %d logins, it should have been %d", logins, r.load.Forwarded)
	}
	return err
}

// logins sums up the measure of that name over the last insight of each window and group, and counts those.
func (b *bench) logins(ctx context.Context, group string) (sum int64, keys int, err error) {
	last := map[string]int64{}
	_, err = b.measureOutcome(ctx, group+"-insights", func(_ *outcome, r *kgo.Record) error {
		var insight struct {
			Kind     string
			Measures struct{ Logins int64 }
		}
		if err := json.Unmarshal(r.Value, &insight); err != nil {
			return err
		}
		if insight.Kind == "window" {
			last[string(r.Key)] = insight.Measures.Logins
		}
		return nil
	})
	for _, n := range last {
		sum += n
	}
	return sum, len(last), err
}
