package app

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/handler"
	"data-stream-engine/handler/control"
	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/replay"
	"data-stream-engine/handler/view"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/embedded"
	"data-stream-engine/repository/group"
	"data-stream-engine/utils"
)

const (
	conditionTopics = "topics" // they do not exist yet, or nobody could be asked
	closeTimeout    = 3 * time.Second
	embeddedPort    = 9092
)

// App is one instance of the service. Everything that can be wrong with settings and files is found by New; Run works.
type App struct {
	settings *utils.Settings
	dir      string // that relative paths start from
	dataDir  string
	log      zerolog.Logger
	group    string
	current  atomic.Pointer[loaded]

	http     *handler.HTTP
	guard    *guard.Guard
	metrics  *handler.Metrics
	watch    *handler.Watch
	broker   *embedded.Broker // nil with brokers of the user's own
	cluster  cluster
	engine   *handler.Engine
	control  *control.Control
	started  time.Time
	reloads  *reloading
	restores *restoring // nil: nobody looks at a terminal
	view     *view.View
	member   *group.Member
	storing  storing
	replayer *replay.Replayer
	replays  cluster     // as cluster; what is wrong with the replay topic is no trouble of the stream's
	noReplay atomic.Bool // we may not see the replay topic, and have not subscribed to it
	cleanups cleanups
}

// New prepares everything that needs no Kafka: settings, pipeline, HTTP, and the embedded broker if that is asked for.
// After an error nothing is left behind. The caller ends it with Close.
func New(ctx context.Context, p Process) (*App, error) {
	s, err := utils.Load(p.Dir, p.Environ)
	if err != nil {
		return nil, err
	}
	a := &App{settings: s, dir: p.Dir, dataDir: within(p.Dir, s.Engine.DataDir), started: time.Now().UTC(), reloads: newReloading(), restores: newRestoring(p)}
	a.log = newLog(p.Stderr, s, a.restores)
	for _, text := range s.Warnings {
		a.log.Warn().Msg(text)
	}
	for _, step := range []func(context.Context, Process) error{a.pipeline, a.door, a.embed, a.connect, a.storage, a.replaying, a.operate, a.see, a.manage, a.trace} {
		if err := step(ctx, p); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// pipeline reads and compiles the pipeline file, before anything of the outside is touched.
func (a *App) pipeline(context.Context, Process) error {
	l, err := a.load()
	if err != nil {
		return err
	}
	a.current.Store(l)
	a.reloads.seen = l.hash
	a.group = a.settings.Kafka.GroupID
	if a.group == "" {
		a.group = l.spec.Name
	}
	return nil
}

// door opens the HTTP door and what is seen through it.
func (a *App) door(ctx context.Context, _ Process) error {
	a.metrics = handler.NewMetrics(a.group, version())
	a.metrics.Pipeline(a.spec().Name, a.current.Load().hash)
	conditions := []string{handler.ConditionBroker, conditionTopics, handler.ConditionAssigned}
	if _, ok := a.processor().Derived(); ok {
		conditions = append(conditions, handler.ConditionRestored)
	}
	readiness := handler.NewReadiness(conditions...)
	a.metrics.Tell(readiness)
	progress := handler.NewProgress()
	a.watch = handler.NewWatch(a.metrics, readiness, progress, a.log)
	certificate, err := a.guarding()
	if err != nil {
		return err
	}
	config := handler.HTTPConfig{Addr: a.settings.Around.HTTPAddr, MaxIdle: a.settings.Engine.MaxPollInterval,
		Readiness: readiness, Progress: progress, Metrics: a.metrics.Gatherer(), Guard: a.guard, Certificate: certificate, Log: a.log}
	door, err := handler.NewHTTP(ctx, config)
	if handler.Taken(err) && a.settings.Kafka.IsEmbedded() { // the first minute should not fail because of a port
		host, _, _ := net.SplitHostPort(config.Addr)
		a.log.Warn().Str("address", config.Addr).Msg("HTTP_ADDR is taken, using a free port instead")
		config.Addr = net.JoinHostPort(host, "0")
		door, err = handler.NewHTTP(ctx, config)
	}
	if err != nil {
		return err
	}
	a.http = door
	a.warn()
	a.cleanups.add("HTTP", door.Close)
	return nil
}

func (a *App) embed(ctx context.Context, _ Process) error {
	if !a.settings.Kafka.IsEmbedded() {
		return nil
	}
	broker, err := embedded.Start(ctx, embedded.Config{DataDir: a.dataDir, Port: embeddedPort, Partitions: a.settings.Kafka.Partitions, Log: a.log})
	if err != nil {
		return err
	}
	a.broker = broker
	a.cleanups.add("embedded broker", func(context.Context) error { return broker.Close() })
	return nil
}

// connect composes the way to Kafka and the engine on top of it. No connection is made yet.
func (a *App) connect(context.Context, Process) error {
	transport, err := utils.NewTransport(a.settings.Kafka)
	if err != nil {
		return err
	}
	a.cleanups.add("connections", func(context.Context) error {
		transport.CloseIdleConnections()
		return nil
	})
	a.cluster = newCluster(transport, a.settings, a.bootstrap(), a.watch)
	a.engine, a.member, err = newEngine(a.settings, a.cluster, a.spec(), a.processor(), a.group, a.watch, a.log)
	return err
}

// bootstrap is where the brokers are.
func (a *App) bootstrap() []string {
	if a.broker != nil {
		return []string{a.broker.Addr()}
	}
	return a.settings.Kafka.BootstrapServers
}

// Addr is where the HTTP door listens.
func (a *App) Addr() string { return a.http.Addr() }

// Brokers is where Kafka is: the embedded broker's address, or KAFKA_BOOTSTRAP_SERVERS.
func (a *App) Brokers() []string { return a.bootstrap() }

// Close undoes New, the last thing first.
func (a *App) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return a.cleanups.run(ctx)
}

// ensureTopics waits for the brokers and makes sure that every topic exists and is what it has to be.
func (a *App) ensureTopics(ctx context.Context) error {
	var source int32
	for _, name := range append([]string{a.spec().Source.Topic}, a.processor().Topics()...) {
		count, err := a.ensureAllowed(ctx, a.topic(name))
		if err != nil {
			return err
		}
		if name == a.spec().Source.Topic {
			source = count
		}
	}
	if _, ok := a.processor().Derived(); ok {
		if err := a.ensureDerived(ctx, source, a.ensureAllowed); err != nil {
			return err
		}
	}
	if _, err := a.ensureAllowed(ctx, repository.ControlTopic(a.group, a.settings.Kafka.ReplicationFactor)); err != nil {
		return err
	}
	if err := a.ensureReplay(ctx, source); err != nil {
		return err
	}
	a.watch.Readiness.Clear(conditionTopics)
	return nil
}

// ensureDerived makes sure that the topics of aggregates exist, for a source of so many partitions.
func (a *App) ensureDerived(ctx context.Context, source int32, ensure func(context.Context, repository.TopicSpec) (int32, error)) error {
	replicas := a.settings.Kafka.ReplicationFactor
	partials, err := ensure(ctx, repository.PartialsTopic(a.group, source, replicas))
	if err != nil {
		return err
	}
	for _, spec := range []repository.TopicSpec{repository.ChangelogTopic(a.group, partials, replicas), repository.InsightsTopic(a.group, partials, replicas)} {
		if _, err := ensure(ctx, spec); err != nil {
			return err
		}
	}
	return nil
}

// topic is one of the pipeline's own, of which nothing is demanded.
func (a *App) topic(name string) repository.TopicSpec {
	return repository.TopicSpec{Name: name, Partitions: a.settings.Kafka.Partitions, Replicas: a.settings.Kafka.ReplicationFactor}
}

// ensureAllowed waits as well while the brokers let us in but do not let us look: an operator can mend that.
func (a *App) ensureAllowed(ctx context.Context, spec repository.TopicSpec) (partitions int32, err error) {
	pause := utils.Backoff{Min: 2 * time.Second, Max: 30 * time.Second}
	for {
		partitions, err := ensureTopic(ctx, a.cluster, a.settings, spec, a.log)
		if err == nil || model.ClassOf(err) != model.Unauthorized {
			return partitions, err
		}
		a.watch.Failing(err)
		if err := pause.Wait(ctx); err != nil {
			return 0, err
		}
	}
}

// ensureTopic waits for the brokers and makes sure that a topic exists, which it creates only when the settings say so.
func ensureTopic(ctx context.Context, c cluster, s *utils.Settings, spec repository.TopicSpec, log zerolog.Logger) (int32, error) {
	partitions, created, err := c.topics.Ensure(ctx, spec, s.Kafka.AutoCreateTopics)
	if err != nil {
		return 0, err
	}
	if created {
		log.Info().Str("topic", spec.Name).Int32("partitions", partitions).Msg("created topic")
	}
	return partitions, nil
}

// within makes a path of the settings one that starts from the process's directory.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
