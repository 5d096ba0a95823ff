package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	questionRate = 200 // a second
	questionTime = 30 * time.Second
)

// apiSample is what people wait for the API while the storage has an insight of each group.
type apiSample struct {
	Recording float64         `json:"recording_seconds"` // from ready until the storage has everything
	CPU       float64         `json:"cpu_seconds"`       // of the process, while it is asked
	Questions []questionTimes `json:"questions"`
}

type questionTimes struct {
	Name  string  `json:"name"`
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// question is a request, and how many of a hundred it is.
type question struct {
	name  string
	share int
	path  func(user string) string
}

// questions are those of the dashboard, and those of a program that looks single groups up.
func questions() []question {
	const table = "/api/v1/insights/groups?aggregate=logins_by_user&windows=30&limit=12"
	fixed := func(path string) func(string) string { return func(string) string { return path } }
	return []question{
		{"insights, the latest", 20, fixed("/api/v1/insights?aggregate=logins_by_user&limit=50")},
		{"insights of a group", 30, func(user string) string {
			return "/api/v1/insights?aggregate=logins_by_user&group.user_id=" + url.QueryEscape(user)
		}},
		{"table of groups, by a measure", 10, fixed(table + "&measure=logins")},
		{"table of groups, searched", 10, func(user string) string { return table + "&measure=logins&search=" + url.QueryEscape(user) }},
		{"dead letters", 10, fixed("/api/v1/dead-letters?limit=50")},
		{"dead letters, counted", 10, fixed("/api/v1/dead-letters/counts")},
		{"status", 10, fixed("/api/v1/status")},
	}
}

// recorded waits until the storage has everything that is in the topics.
func (l *life) recorded(ctx context.Context) error {
	for {
		body, err := l.get(ctx, "/api/v1/status")
		var status struct{ Storage struct{ Behind *int64 } }
		if err == nil {
			err = json.Unmarshal(body, &status)
		}
		if err == nil && status.Storage.Behind != nil && *status.Storage.Behind == 0 {
			return nil
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("not everything is recorded: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// users are some that are in the storage.
func (l *life) users(ctx context.Context) (list []string, err error) {
	body, err := l.get(ctx, "/api/v1/insights?aggregate=logins_by_user&limit=1000")
	var page struct {
		Items []struct{ Group map[string]string }
	}
	if err == nil {
		err = json.Unmarshal(body, &page)
	}
	for _, item := range page.Items {
		list = append(list, item.Group["user_id"])
	}
	if err == nil && len(list) == 0 {
		err = errors.New("there are no insights")
	}
	return list, err
}

// api starts a process in the group of one that has ended, has it record everything, and asks it.
func (r *race) api(ctx context.Context, c contestant, output string) (s apiSample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	c.environment = append(slices.Clone(c.environment), "STORAGE_URL=") // SQLite, whatever the others had
	l, err := r.start(c, commitInterval, r.source, output)
	if err != nil {
		return s, err
	}
	err = l.during(ctx, func(ctx context.Context) error {
		if err := l.ready(ctx); err != nil {
			return err
		}
		s, err = l.ask(ctx)
		return err
	})
	_, err = l.stop(err)
	return s, err
}

// ask measures what people wait. Requests begin when they are due, whether or not those before have been answered.
func (l *life) ask(ctx context.Context) (apiSample, error) {
	var s apiSample
	began := time.Now()
	if err := l.recorded(ctx); err != nil {
		return s, err
	}
	s.Recording = time.Since(began).Seconds()
	users, err := l.users(ctx)
	if err != nil {
		return s, err
	}
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = questionRate // so that they do not connect anew
	all := questions()
	var turns []int
	for i, q := range all {
		turns = append(turns, slices.Repeat([]int{i}, q.share)...)
		if _, err := l.get(ctx, q.path(users[0])); err != nil { // the first of each reads from the disk
			return s, err
		}
	}
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	took := make([][]time.Duration, len(all))
	var (
		mu     sync.Mutex
		asking sync.WaitGroup
		cpu    = used(l.command.Process.Pid)
		count  = int(questionRate * questionTime.Seconds())
	)
	began = time.Now()
	for n := range count {
		due := began.Add(time.Duration(n) * questionTime / time.Duration(count))
		time.Sleep(time.Until(due))
		i := turns[n%len(turns)]
		asking.Go(func() {
			_, failed := l.get(ctx, all[i].path(users[rand.IntN(len(users))]))
			mu.Lock()
			defer mu.Unlock()
			took[i], err = append(took[i], time.Since(due)), errors.Join(err, failed)
		})
	}
	asking.Wait()
	s.CPU = (used(l.command.Process.Pid) - cpu).Seconds()
	for i, q := range all {
		s.Questions = append(s.Questions, times(q.name, took[i]))
	}
	s.Questions = append(s.Questions, times("all", slices.Concat(took...)))
	return s, err
}

func times(name string, took []time.Duration) questionTimes {
	slices.Sort(took)
	at := func(p float64) float64 {
		return float64(took[min(int(p*float64(len(took))), len(took)-1)].Microseconds()) / 1000
	}
	return questionTimes{name, len(took), at(0.5), at(0.99), at(1)}
}
