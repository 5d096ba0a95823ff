package repository

import (
	"context"
	"fmt"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/utils"
)

const (
	// buffersPerLeader: one that is being processed, one that is being filled.
	buffersPerLeader = 2
	// fetchEnough is what a broker should collect, at most for SourceConfig.Wait, before it answers a stream that is
	// flowing: at 20,000 events a second this is a quarter of the CPU that asking for each byte would cost.
	fetchEnough = 1 << 20
	// idleWait is how long a broker may hold a request back when nothing has come lately; the first byte answers it.
	idleWait = 500 * time.Millisecond
	// answerSlack is what an answer may take beyond the time that the broker was told to wait.
	answerSlack = 10 * time.Second
)

// loop fetches from one broker the partitions that it leads.
type loop struct {
	s       *Stream
	node    int32
	free    chan *buffer
	idle    bool
	turn    int // which partition comes first: brokers fill an answer in order
	backoff utils.Backoff
}

// buffer is the memory of one answer.
type buffer struct {
	frame broker.Frame
	body  []byte
	parts []fetched
}

func newLoop(s *Stream, node int32) *loop {
	l := &loop{s: s, node: node, free: make(chan *buffer, buffersPerLeader), idle: true}
	l.backoff = utils.Backoff{Min: 20 * time.Millisecond, Max: 3 * time.Second}
	for range buffersPerLeader {
		l.free <- &buffer{}
	}
	return l
}

func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		var b *buffer
		select {
		case b = <-l.free:
		case <-ctx.Done():
			return
		}
		claimed, wait, done := l.claim()
		switch {
		case done:
			return
		case len(claimed) == 0:
			l.free <- b
			if utils.Sleep(ctx, wait) != nil {
				return
			}
		default:
			l.once(ctx, b, claimed)
		}
	}
}

// claim takes the partitions that this broker leads and nobody else is fetching. done means that the broker leads none
// any more; wait is when to look again if all of them are waiting after an error.
func (l *loop) claim() (claimed []claim, wait time.Duration, done bool) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	now, led := time.Now(), 0
	wait = idleWait
	for i := range l.s.order {
		p := l.s.order[(i+l.turn)%len(l.s.order)]
		if p.leader != l.node {
			continue
		}
		led++
		if p.busy {
			wait = min(wait, time.Millisecond)
			continue
		}
		if d := p.notBefore.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		p.busy = true
		claimed = append(claimed, claim{p, p.offset, p.epoch, p.version})
	}
	l.turn++
	if led == 0 {
		l.s.running[l.node] = false
	}
	return claimed, wait, led == 0
}

// claim is a partition with what is asked for of it.
type claim struct {
	*part
	offset  int64
	epoch   int32
	version int
}

// once sends one request and hands the answer on. Whatever happens, the partitions are let go only when the answer has
// been taken, so that another leader's answer cannot overtake it.
func (l *loop) once(ctx context.Context, b *buffer, claimed []claim) {
	defer l.letGo(claimed)
	asked := time.Now()
	wait, least := idleWait, 1
	if !l.idle {
		wait, least = l.ask(asked), l.enough()
	}
	call, cancel := context.WithTimeout(ctx, wait+answerSlack)
	defer cancel()
	b.body = appendFetch(b.body[:0], int32(wait.Milliseconds()), int32(least), int32(l.s.cfg.MaxBytes), claimed)
	b.frame.Key, b.frame.Version = 1, 11
	b.frame.Pieces = append(b.frame.Pieces[:0], b.body)
	err := l.s.client.Exchange(call, l.node, &b.frame)
	if err == nil {
		b.parts, err = readFetch(b.frame.Answer, b.parts[:0])
	}
	last := l.answered()
	if err != nil {
		l.free <- &buffer{} // the connection may still be writing to the old one
		if ctx.Err() == nil {
			l.trouble(ctx, claimed, err)
		}
		return
	}
	l.backoff.Reset()
	waited := time.Since(asked)
	if l.idle {
		waited = 0 // the first byte was the answer
	}
	l.deliver(ctx, b, claimed, waited, last)
}

// ask is how long the broker is to wait for enough messages: until all brokers answer.
func (l *loop) ask(now time.Time) time.Duration {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.beat.ask(l.node, now)
}

// answered says that the broker waits no more, and returns whether all have answered that were to do so now.
func (l *loop) answered() (last bool) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.beat.answered(l.node, time.Now())
}

// enough is what a broker is asked to collect while messages are flowing.
func (l *loop) enough() int { return min(fetchEnough, max(l.s.cfg.MaxBytes/2, 1)) }

// deliver advances the positions and hands what came to whoever calls Next.
func (l *loop) deliver(ctx context.Context, b *buffer, claimed []claim, waited time.Duration, last bool) {
	f := &model.Fetch{Release: func() { l.free <- b }}
	failed := l.sort(b, claimed, f)
	l.idle = f.Bytes == 0
	f.Short = last && f.Bytes < l.enough()
	if f.Bytes >= l.enough()*3/2 {
		waited = 0 // it lay there ready: what took time was the broker's work
	}
	if len(f.Parts)+len(f.Empty) == 0 {
		f.Release()
	} else {
		select {
		case l.s.out <- answer{f, waited}:
		case <-ctx.Done():
			return
		}
	}
	for _, x := range failed {
		if ctx.Err() == nil {
			l.mend(ctx, x.claim, x.code)
		}
	}
}

type failure struct {
	claim
	code int16
}

// sort tells partitions with messages from those with an error, and moves the positions.
func (l *loop) sort(b *buffer, claimed []claim, f *model.Fetch) (failed []failure) {
	asked := make(map[model.TopicPartition]claim, len(claimed))
	for _, c := range claimed {
		asked[c.TopicPartition] = c
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	now, nothing := time.Now(), !slices.ContainsFunc(b.parts, func(got fetched) bool { return len(got.set) > 0 })
	for i := range b.parts {
		got := &b.parts[i]
		c, ok := asked[got.TopicPartition]
		if !ok || c.version != c.part.version {
			continue
		}
		if got.code != 0 {
			failed = append(failed, failure{c, got.code})
			continue
		}
		l.well(c.part)
		if c.hollow(got, nothing) {
			got.high, got.stable = c.offset, c.offset
		}
		told := c.end == got.stable
		c.end, c.high, c.answered = got.stable, got.high, now
		if !got.whole() {
			if !told {
				f.Empty = append(f.Empty, model.PartitionEnd{TopicPartition: got.TopicPartition, End: got.stable})
			}
			continue
		}
		c.part.offset, _ = recordbatch.LastOffset(got.set, c.offset)
		f.Bytes += len(got.set)
		f.Parts = append(f.Parts, model.FetchedPartition{
			TopicPartition: got.TopicPartition, Version: c.version, HighWatermark: got.stable, Bytes: len(got.set),
			Open: func() model.Records { return l.s.readers.open(got, c.offset) },
		})
	}
	return failed
}

// hollow tells that nothing lies between the position and the end of the partition: compaction took it all. A broker
// answers with at least one batch where there is one; that its answer has nothing at all says so, and it has to say it
// several times.
func (p *part) hollow(got *fetched, nothing bool) bool {
	if !nothing || got.stable != got.high || got.stable <= p.offset {
		p.nothing = 0
		return false
	}
	p.nothing++
	return p.nothing >= hollowTries
}

func (l *loop) letGo(claimed []claim) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	for _, c := range claimed {
		c.busy = false
	}
}

// well notes that a partition answers, and says so when it was the last one in trouble.
func (l *loop) well(p *part) {
	p.failures = 0
	if !p.failing {
		return
	}
	p.failing = false
	for _, other := range l.s.order {
		if other.failing {
			return
		}
	}
	l.s.observer.Recovered(fetching)
}

// trouble is an exchange without an answer: all partitions of the broker wait, and perhaps have another leader by now.
func (l *loop) trouble(ctx context.Context, claimed []claim, err error) {
	pause := l.backoff.Next()
	l.s.mu.Lock()
	for _, c := range claimed {
		c.failing, c.notBefore = true, time.Now().Add(pause)
	}
	l.s.mu.Unlock()
	l.s.observer.Retrying(fetching, err)
	l.s.observer.Pausing(fetching, pause)
	if err := l.s.refresh(ctx); err != nil && ctx.Err() == nil {
		l.s.observer.Retrying(refreshing, err)
	}
}

// mend deals with the error of one partition.
func (l *loop) mend(ctx context.Context, c claim, code int16) {
	op := broker.Check("fetch", fmt.Sprintf("%s-%d", c.Topic, c.Partition), code)
	l.s.mu.Lock()
	pause := utils.Backoff{Min: 20 * time.Millisecond, Max: 3 * time.Second}
	for range c.failures {
		pause.Next()
	}
	c.failing, c.failures, c.notBefore = true, min(c.failures+1, 16), time.Now().Add(pause.Next())
	l.s.mu.Unlock()
	// A topic that was created again is out of range or without a leader at first: its id tells. What is wrong with another
	// topic keeps nobody from mending this one.
	err := l.s.refreshTopic(ctx, c.Topic)
	l.s.follow(ctx)
	if err != nil {
		if model.ClassOf(err) == model.Transient && ctx.Err() == nil {
			l.s.observer.Retrying(fetching, err)
		}
		return
	}
	if code == broker.OffsetOutOfRange {
		err := l.intoRange(ctx, c)
		if err == nil || ctx.Err() != nil {
			return
		}
		op = err
	}
	l.s.observer.Retrying(fetching, op)
}

// intoRange moves a position whose messages are gone to the nearest one that exists.
func (l *loop) intoRange(ctx context.Context, c claim) error {
	to, _, err := intoRange(ctx, l.s.client, c.TopicPartition, c.offset)
	if err != nil {
		return err
	}
	if to == c.offset {
		return nil // it is in range again
	}
	if l.s.seek(c.part, c.version, to) {
		l.s.observer.Lost(c.TopicPartition, c.offset, to)
	}
	return nil
}
