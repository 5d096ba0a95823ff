package app

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/handler/api"
	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/web"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// topicTimeout is what the brokers may take to say how many partitions a topic has.
const topicTimeout = 2 * time.Second

// manage mounts the management API and the dashboard at the HTTP door.
func (a *App) manage(context.Context, Process) error {
	c := api.Config{Guard: a.guard, Insights: noStore{}, Letters: noStore{}, Changes: noStore{}, Contents: a.replayer, Replayer: a.replayer, Source: a.replayer,
		Control: a.control, Pipelines: a, Compiler: a, Topics: a, Pictures: a.view, Rates: a.view, DeadLetterTopic: a.processor().Topics()[model.DeadLetters],
		Log: a.log.With().Str("part", "api").Logger()}
	if s := a.storing.store; s != nil {
		c.Insights, c.Letters, c.Changes = s, s, s
	}
	management := api.New(c)
	a.http.Mount(api.Prefix, management)
	a.http.OnClose(management.Close)
	a.http.Tell(func() handler.Summary {
		s := a.view.Status()
		return handler.Summary{Level: s.Level, Title: s.Title, Reason: s.Reason}
	})
	return a.http.Page(web.Handler)
}

// invite tells the log where the door is.
func (a *App) invite() {
	scheme := "http://"
	if a.settings.Around.HTTPTLSCert != "" {
		scheme = "https://"
	}
	a.log.Info().Str("http", scheme+reachable(a.Addr())).Msg("the dashboard is here, with the API below /api, metrics at /metrics, health at /livez and /readyz")
}

// Partitions is how many partitions a topic has; 0: nobody can be asked now.
func (a *App) Partitions(topic string) int32 {
	ctx, cancel := context.WithTimeout(context.Background(), topicTimeout)
	defer cancel()
	found, err := a.cluster.client.Topics(ctx, topic)
	if err != nil {
		return 0
	}
	return int32(len(found[topic].Leaders))
}

// Compile makes a pipeline of a text that somebody tries. It may use the variables that the file in use names, and no
// others: what else is in the environment is not for whoever uses the API.
func (a *App) Compile(text string) (*service.Processor, error) {
	var names []string
	for _, m := range regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)`).FindAllStringSubmatch(a.current.Load().text, -1) {
		names = append(names, m[1])
	}
	spec, err := service.ParsePipeline("pipeline", []byte(text), func(name string) (string, bool) {
		if !slices.Contains(names, name) {
			return "", false
		}
		return a.settings.Lookup(name)
	})
	if err != nil {
		return nil, err
	}
	key, err := hashKey(a.settings, a.dataDir)
	if err != nil {
		return nil, err
	}
	return service.NewProcessor(spec, service.Options{Group: a.group, HashKey: key.Reveal()})
}

// guarding prepares who may do what through the HTTP door, and what it is encrypted with.
func (a *App) guarding() (*guard.Certificate, error) {
	s := a.settings.Around
	var err error
	if a.guard, err = guard.New(s.HTTPToken.Reveal()); err != nil || s.HTTPTLSCert == "" {
		return nil, err
	}
	return guard.LoadCertificate(within(a.dir, s.HTTPTLSCert), within(a.dir, s.HTTPTLSKey))
}

// warn tells what is open to whom when the door can be reached from other machines.
func (a *App) warn() {
	if a.settings.Around.HTTPToken != "" || onlyHere(a.settings.Around.HTTPAddr) {
		return
	}
	a.log.Warn().Str("address", a.settings.Around.HTTPAddr).Msg("HTTP_TOKEN is not set, and HTTP_ADDR can be reached from other machines: everybody who reaches it " +
		"sees status, pipeline file, insights, dead letters without content, and metrics; only this machine itself may pause, reload, replay and see events")
}

// onlyHere tells whether an address to listen on can be reached from this machine only.
func onlyHere(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
