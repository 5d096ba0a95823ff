package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/handler"
	"data-stream-engine/repository"
	"data-stream-engine/repository/embedded"
	"data-stream-engine/service/generator"
	"data-stream-engine/utils"
)

// defaultRate is for a feed without end when nobody says how fast.
const defaultRate = 100

// order is what the command line of generate asks for.
type order struct {
	pace   pace
	topic  string
	events generator.Config
}

// generate writes user logins to a topic.
func generate(ctx context.Context, p Process) error {
	set := newFlags("generate")
	count := set.Int("count", 0, "how many events; 0: until a signal")
	rate := set.Int("rate", 0, "events a second; 0: as fast as the brokers take them. Default without --count: GENERATOR_RATE, or 100")
	seed := set.Uint64("seed", 0, "the same seed, --start and --step make the same events; 0: another one each time")
	start := set.String("start", "", "time of the first event, RFC 3339; default: such that the last one is now, or now with --rate")
	step := set.Duration("step", 0, "time from one event to the next; default: what the rate says, or 1ms")
	topic := set.String("topic", "", "default: KAFKA_SOURCE_TOPIC, or the source of the pipeline file")
	partitions := set.Int("partitions", 0, "partitions of the topic if it is created; default: KAFKA_PARTITIONS")
	bootstrap := set.String("bootstrap", "", "brokers, host:port; default: KAFKA_BOOTSTRAP_SERVERS")
	if err := p.flags(set, 0); err != nil {
		return err
	}
	if *count < 0 || *rate < 0 || *step < 0 || *partitions < 0 {
		return usageError{errors.New("generate: --count, --rate, --step and --partitions are not negative")}
	}
	if *bootstrap != "" {
		p.Environ = append(p.Environ, "KAFKA_BOOTSTRAP_SERVERS="+*bootstrap)
	}
	s, err := utils.Load(p.Dir, p.Environ)
	if err != nil {
		return err
	}
	if *partitions > 0 {
		s.Kafka.Partitions = int32(*partitions)
	}
	o := order{pace: pace{count: *count, rate: *rate}, topic: *topic, events: generator.Default()}
	if o.events.Seed = *seed; *seed == 0 {
		o.events.Seed = rand.Uint64()
	}
	if o.topic == "" {
		if o.topic, err = sourceTopic(p, s); err != nil {
			return err
		}
	}
	if err := o.times(s, *start, *step); err != nil {
		return err
	}
	return o.carryOut(ctx, p, s)
}

// times settles how fast events come, and what times they carry.
func (o *order) times(s *utils.Settings, start string, step time.Duration) error {
	if o.pace.count == 0 && o.pace.rate == 0 {
		if o.pace.rate = s.Around.GeneratorRate; o.pace.rate == 0 {
			o.pace.rate = defaultRate
		}
	}
	o.events.Step = step
	if step == 0 {
		o.events.Step = time.Millisecond
		if o.pace.rate > 0 {
			o.events.Step = time.Second / time.Duration(o.pace.rate)
		}
	}
	switch {
	case start != "":
		at, err := time.Parse(time.RFC3339, start)
		if err != nil {
			return usageError{fmt.Errorf("generate: --start %q is not a time such as 2026-01-02T15:04:05Z", start)}
		}
		o.events.Start = at
	case o.pace.rate > 0:
		o.pace.live = true
	default:
		o.events.Start = time.Now().Add(-time.Duration(o.pace.count) * o.events.Step)
	}
	return nil
}

// sourceTopic is the topic that the pipeline reads.
func sourceTopic(p Process, s *utils.Settings) (string, error) {
	if s.Kafka.SourceTopic != "" {
		return s.Kafka.SourceTopic, nil
	}
	spec, err := readPipeline(p.Dir, s.Engine.PipelineFile, s.Lookup)
	if err != nil {
		return "", fmt.Errorf("which topic? name it with --topic: %w", err)
	}
	return spec.Source.Topic, nil
}

// carryOut connects, creates the topic where that is allowed, and feeds it.
func (o *order) carryOut(ctx context.Context, p Process, s *utils.Settings) (err error) {
	log := utils.NewLog(p.Stderr, s.Around.LogLevel, s.Around.LogFormat)
	var undo cleanups
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, undo.run(closing))
	}()
	bootstrap, err := brokers(ctx, p, s, &undo, log)
	if err != nil {
		return err
	}
	transport, err := utils.NewTransport(s.Kafka)
	if err != nil {
		return err
	}
	undo.add("connections", func(context.Context) error {
		transport.CloseIdleConnections()
		return nil
	})
	watch := handler.NewWatch(handler.NewMetrics("", version()), handler.NewReadiness(), handler.NewProgress(), log)
	c := newCluster(transport, s, bootstrap, watch)
	if _, err := ensureTopic(ctx, c, s, repository.TopicSpec{Name: o.topic, Partitions: s.Kafka.Partitions, Replicas: s.Kafka.ReplicationFactor}, log); err != nil {
		return err
	}
	f, err := newFeed(ctx, c, o.topic, o.events)
	if err != nil {
		return err
	}
	log.Info().Strs("brokers", bootstrap).Str("topic", o.topic).Int32("partitions", f.partitions).Uint64("seed", o.events.Seed).
		Int("count", o.pace.count).Int("rate", o.pace.rate).Msg("generating user logins")
	meter := newMeter(p, o.pace.count, log)
	err = f.run(ctx, o.pace, meter.count)
	meter.end()
	if err == nil && meter.total < o.pace.count {
		err = fmt.Errorf("ended after %d of %d events", meter.total, o.pace.count)
	}
	return err
}

// brokers is where to write to: with an embedded broker the one that runs on DATA_DIR, or one that is started for the
// purpose and keeps the events for the next run.
func brokers(ctx context.Context, p Process, s *utils.Settings, undo *cleanups, log zerolog.Logger) ([]string, error) {
	if !s.Kafka.IsEmbedded() {
		return s.Kafka.BootstrapServers, nil
	}
	dir := within(p.Dir, s.Engine.DataDir)
	broker, err := embedded.Start(ctx, embedded.Config{DataDir: dir, Port: embeddedPort, Partitions: s.Kafka.Partitions, Log: log})
	if addr, running := embedded.Running(err, dir); running {
		return []string{addr}, nil
	}
	if err != nil {
		return nil, err
	}
	undo.add("embedded broker", func(context.Context) error { return broker.Close() })
	return []string{broker.Addr()}, nil
}

// meter shows how far it is: a bar on a terminal, otherwise a line now and then.
type meter struct {
	progress
	log    zerolog.Logger
	begin  time.Time
	logged time.Time
	total  int
}

func newMeter(p Process, count int, log zerolog.Logger) *meter {
	return &meter{progress: newProgress(p, count, "events"), log: log, begin: time.Now(), logged: time.Now()}
}

func (m *meter) count(events int) {
	m.total += events
	m.add(events)
	if m.bar == nil && time.Since(m.logged) >= reportEvery {
		m.logged = time.Now()
		m.log.Info().Int("events", m.total).Msg("generated")
	}
}

func (m *meter) end() {
	m.clear()
	took := time.Since(m.begin)
	m.log.Info().Int("events", m.total).Stringer("took", took.Round(time.Millisecond)).Int("per_second", int(float64(m.total)/took.Seconds())).Msg("generated, done")
}
