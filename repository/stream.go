package repository

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"
)

// SourceConfig is how a source asks for messages.
type SourceConfig struct {
	MaxBytes      int           // most that one answer should hold
	MaxBatchBytes int           // most that one record batch may inflate to
	Wait          time.Duration // how long a broker may wait for more while messages are coming
}

// Source opens streams over partitions.
type Source struct {
	client   *broker.Client
	observer Observer
	cfg      SourceConfig
}

// NewSource returns a source.
func NewSource(client *broker.Client, observer Observer, cfg SourceConfig) *Source {
	return &Source{client: client, observer: observer, cfg: cfg}
}

const (
	// metadataInterval is how often a stream looks whether its topics are still the same ones.
	metadataInterval = 10 * time.Second
	// leaderInterval is how often it looks for the leader of a partition that has none.
	leaderInterval = 500 * time.Millisecond
)

// The operations of a stream, for an Observer.
const (
	fetching   = "fetch"
	refreshing = "refresh metadata"
)

// Stream fetches a set of partitions: one loop for each leader, each with one request under way and two buffers, so
// that the next answer arrives while one is being processed and memory stays bounded however long the backlog is.
type Stream struct {
	client   *broker.Client
	observer Observer
	cfg      SourceConfig
	readers  *readers

	out    chan answer
	waited time.Duration // of what Next returned last; for its caller's goroutine
	broken chan error    // capacity 1: the first error that ends the stream
	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu      sync.Mutex
	parts   map[model.TopicPartition]*part
	order   []*part
	running map[int32]bool
	topics  map[string][16]byte // ids at the start
	beat    beat
}

// answer is what a broker answered, and how long it had waited for more.
type answer struct {
	*model.Fetch
	waited time.Duration
}

// part is one partition of a stream. A loop that has claimed it owns everything but version, until it lets go.
type part struct {
	model.TopicPartition
	offset    int64
	leader    int32
	epoch     int32
	busy      bool
	failing   bool
	failures  int
	notBefore time.Time
	version   int       // counts seeks
	end       int64     // of its log for a read_committed reader, as it was last told; -1: not yet
	high      int64     // high watermark of the last good answer
	answered  time.Time // when that came; zero: not yet
	nothing   int       // answers in a row without anything where something should be
}

// Open starts fetching from the given positions. It ends with Close.
func (s *Source) Open(ctx context.Context, positions map[model.TopicPartition]model.Position) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	st := &Stream{
		client: s.client, observer: s.observer, cfg: s.cfg, cancel: cancel,
		readers: &readers{maxBatchBytes: s.cfg.MaxBatchBytes},
		out:     make(chan answer), broken: make(chan error, 1),
		parts: map[model.TopicPartition]*part{}, running: map[int32]bool{}, topics: map[string][16]byte{},
		beat: beat{interval: s.cfg.Wait, until: map[int32]time.Time{}},
	}
	for tp, pos := range positions {
		p := &part{TopicPartition: tp, offset: pos.Offset, leader: -1, end: -1}
		st.parts[tp], st.order = p, append(st.order, p)
	}
	if err := st.refresh(ctx); err != nil {
		cancel()
		return nil, err
	}
	st.loops.Go(func() { st.watch(ctx) })
	return st, nil
}

// Next waits for the next answer of any broker. An error ends the stream: class Recreated when a topic is another one
// now, otherwise that of ctx.
func (s *Stream) Next(ctx context.Context) (*model.Fetch, error) {
	for {
		select {
		case f := <-s.out:
			if s.dropStale(f.Fetch); len(f.Parts)+len(f.Empty) > 0 {
				s.waited = f.waited
				return f.Fetch, nil
			}
			f.Release()
		case err := <-s.broken:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Waited is how long the messages that Next returned last may have lain at the broker while it waited for more. It is
// for the goroutine that calls Next.
func (s *Stream) Waited() time.Duration { return s.waited }

// dropStale removes what was fetched before a seek.
func (s *Stream) dropStale(f *model.Fetch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := f.Parts[:0]
	for _, p := range f.Parts {
		if s.parts[p.TopicPartition].version == p.Version {
			kept = append(kept, p)
		}
	}
	f.Parts = kept
}

// Seek makes the next messages of a partition those from offset on. What was fetched already is dropped.
func (s *Stream) Seek(tp model.TopicPartition, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[tp]; p != nil {
		p.version++
		p.offset = offset
	}
}

// Reached tells how far a partition was fetched: the offset that is asked for next, the high watermark that the last answer
// named, which counts transactions that are open but not what compaction took behind the last message, and when that answer
// came. It knows of an answer before Next returns it,
// and of none behind that: who takes no answers hears of none. ok is false as long as nothing is known: before the first
// answer, without a leader, and while fetching fails.
func (s *Stream) Reached(tp model.TopicPartition) (position, highWatermark int64, answered time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[tp]
	if p == nil || p.leader < 0 || p.failing || p.answered.IsZero() {
		return 0, 0, time.Time{}, false
	}
	return p.offset, p.high, p.answered, true
}

// seek is Seek unless somebody has sought since the given version: whoever seeks knows better than a correction that was
// on its way.
func (s *Stream) seek(p *part, version int, offset int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.version != version {
		return false
	}
	p.version++
	p.offset = offset
	return true
}

// Close stops fetching and waits until every loop has ended. Buffers that were handed out stay valid.
func (s *Stream) Close() {
	s.cancel()
	s.loops.Wait()
	s.observer.Abandoned(fetching)
	s.observer.Abandoned(refreshing)
}

// watch looks from time to time whether the topics are still the same ones and who leads their partitions, and more
// often while a partition has no leader.
func (s *Stream) watch(ctx context.Context) {
	last := time.Now()
	for utils.Sleep(ctx, leaderInterval) == nil {
		if time.Since(last) < metadataInterval && !s.leaderless() {
			continue
		}
		last = time.Now()
		if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
			s.observer.Retrying(refreshing, err)
		}
	}
}

func (s *Stream) leaderless() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.order, func(p *part) bool { return p.leader < 0 })
}

// refresh asks for the leaders of all partitions and then starts a loop for each leader that has none: one that began before all
// topics are known would wait at its broker for some partitions, and the others meanwhile for it. A topic with an error keeps no
// other from being looked at; of several errors it returns one that does not pass by itself, if there is one.
func (s *Stream) refresh(ctx context.Context) error {
	names := map[string]bool{}
	for _, p := range s.order {
		names[p.Topic] = true
	}
	var worst error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := s.refreshTopic(ctx, name); err != nil && model.ClassOf(worst) == model.Transient {
			worst = err
		}
	}
	s.follow(ctx)
	if worst == nil {
		s.observer.Recovered(refreshing)
	}
	return worst
}

func (s *Stream) refreshTopic(ctx context.Context, name string) error {
	topics, err := s.client.RefreshTopics(ctx, name)
	if err != nil {
		if broker.Code(err) == broker.UnknownTopicOrPartition {
			s.unlead(name)
		}
		return err
	}
	return s.lead(topics[name])
}

func (s *Stream) lead(t broker.Topic) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, known := s.topics[t.Name]; known && id != t.ID {
		err := recreated(t.Name)
		s.fail(err)
		return err
	}
	s.topics[t.Name] = t.ID
	for _, p := range s.order {
		if p.Topic != t.Name || int(p.Partition) >= len(t.Leaders) {
			continue
		}
		p.leader, p.epoch = t.Leaders[p.Partition], t.Epochs[p.Partition]
	}
	return nil
}

// follow starts the loops that are missing.
func (s *Stream) follow(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.order {
		if p.leader >= 0 && !s.running[p.leader] {
			s.running[p.leader] = true
			l := newLoop(s, p.leader)
			s.loops.Go(func() { l.run(ctx) })
		}
	}
}

// unlead stops fetching a topic that the cluster does not know. What has its name next may be another topic, whose
// offsets mean something else; only the metadata tells by its id, so they come first.
func (s *Stream) unlead(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.order {
		if p.Topic == topic {
			p.leader = -1
		}
	}
}

// fail ends the stream for whoever calls Next.
func (s *Stream) fail(err error) {
	select {
	case s.broken <- err:
	default: // an earlier one stands
	}
}
