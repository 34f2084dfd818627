package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"callbridge/bus"
	"callbridge/callab"
	"callbridge/cmd/callbridge/listener"
	"callbridge/cmd/callbridge/numberfile"
	"callbridge/credential"
	"callbridge/dispatch"
	"callbridge/follow"
	"callbridge/follow/watch"
	"callbridge/handlers"
	"callbridge/lookup"
	"callbridge/mapping"
	"callbridge/span"
)

// process holds the parts that serve runs; wire connects them.
type process struct {
	config     *configuration
	log        *slog.Logger
	registry   *prometheus.Registry
	tracer     *span.Tracer
	bus        *bus.Bus
	lookups    *lookup.Service
	dispatcher *dispatch.Dispatcher
	// watcher follows calls to their end; nil with FOLLOW=off.
	watcher *watch.Watcher
	// forbidden is DNC_FILE; nil without one.
	forbidden *numberfile.File
	public    *listener.Listener
	admin     *listener.Listener
	// operators is what the admin listener shows.
	operators handlers.Operators
	// waiting is why the start waits for NATS.
	waiting atomic.Pointer[error]
	// stopping is set when SIGTERM arrives.
	stopping atomic.Bool
}

// start makes a process that is ready to run.
func start(ctx context.Context, s settings, config *configuration, log *slog.Logger) (*process, error) {
	// net/http writes bytes of a peer with package log, which may be our own credentials.
	stdlog.SetOutput(io.Discard)
	p := &process{config: config, log: log, registry: prometheus.NewRegistry()}
	if err := p.wire(ctx, s); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *process) wire(ctx context.Context, s settings) error {
	token, err := s.Callab.token(p.log)
	if err != nil {
		return err
	}
	password, err := s.adminPassword(p.log)
	if err != nil {
		return err
	}
	for _, remark := range callab.Remarks(s.Callab.URL) {
		p.log.Warn("callab.url", "problem", "CALLAB_URL "+remark)
	}
	api, err := callab.New(callab.Config{
		URL: s.Callab.URL, Token: token.Get, Timeout: s.Callab.Timeout,
		UserAgent: "callbridge/" + version(), Trace: trace(),
	})
	if err != nil {
		return fmt.Errorf("CALLAB_URL: %w", err)
	}
	if err := p.listenAdmin(s, password); err != nil {
		return err
	}
	if err := p.openBus(ctx, s); err != nil {
		return err
	}
	p.registry.MustRegister(buildInfo(), zoneDataReleased(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.tracer = s.OTel.Tracer(version(), p.registry, p.log)
	if err := p.openDispatcher(s, api); err != nil {
		return err
	}
	if err := p.openWatcher(s, api); err != nil {
		return err
	}
	p.lookups = lookup.New(p.bus, p.config.current, p.registry, p.tracer, p.log)
	health := handlers.Health{
		Checks: []handlers.Check{
			{Name: "process", Ask: p.running},
			{Name: "nats", Ask: p.bus.Ready},
			{Name: "streams", Severity: handlers.Minor, Ask: p.bus.Intact},
			{Name: "consumers", Severity: handlers.Minor, Ask: p.bus.Paused},
			{Name: "lookup", Severity: handlers.Minor, Ask: func(context.Context) error { return p.lookups.Ready() }},
			{Name: "dispatch", Severity: handlers.Minor, Ask: func(context.Context) error { return p.dispatcher.Ready() }},
			{Name: "do_not_call", Severity: handlers.Minor, Ask: p.forbiddenReady},
			{Name: "secrets", Severity: handlers.Minor, Ask: p.config.secretsReady(token, password)},
		},
		Sources: p.lookups.Held,
		Info:    p.info,
	}
	p.registry.MustRegister(health.Collector(), p.bus.RouteMetric(p.config.routes))
	if err := p.listenPublic(s, health); err != nil {
		return err
	}
	p.operators.Health = health
	p.admin.Handle(handlers.Admin(p.operators))
	return nil
}

func (p *process) openDispatcher(s settings, api *callab.Client) (err error) {
	config := s.dispatch()
	config.Tracer = p.tracer
	config.Generation, config.Country = p.config.generation, mapping.CountryOf
	config.Permits, config.Policy = p.config.permits, p.config.policy
	if p.forbidden = s.forbidden(p.log); p.forbidden != nil {
		config.Listed = p.forbidden.Listed
	}
	p.dispatcher, err = dispatch.New(p.bus, api, config, p.registry, p.log)
	return err
}

func (p *process) openWatcher(s settings, api *callab.Client) (err error) {
	if s.Follow.Follow == "off" {
		return nil
	}
	pace := follow.DefaultPace()
	pace.GiveUp = s.Follow.GiveUp
	p.watcher, err = watch.New(p.bus, api, watch.Config{Rate: s.Follow.Rate, Pace: pace}, p.registry, p.log)
	return err
}

// listenPublic opens the listener for webhooks.
func (p *process) listenPublic(s settings, health handlers.Health) error {
	connections := handlers.NewConnections(s.HTTPTrustedProxies, p.registry)
	intake := handlers.Intake{Mapping: p.config.current, Bus: p.bus, Log: p.log, Tracer: p.tracer, Connections: connections,
		TrustedProxies: s.HTTPTrustedProxies, ProxyHeader: s.HTTPProxyHeader}
	server := handlers.NewServer(handlers.Public(intake, health, p.registry), p.log)
	server.ConnContext = connections.Context
	var err error
	if s.HTTPTLSCert != "" {
		if server.TLSConfig, err = listener.Certificate(s.HTTPTLSCert, s.HTTPTLSKey, p.log); err != nil {
			return fmt.Errorf("HTTP_TLS_CERT and HTTP_TLS_KEY cannot be used: %w", err)
		}
	}
	if p.public, err = listener.Open("HTTP_ADDR", s.HTTPAddr, server); err != nil {
		return err
	}
	p.public.Wrap(connections.Listener)
	return nil
}

func (p *process) openBus(ctx context.Context, s settings) (err error) {
	config := s.bus(p.log, p.registry)
	config.Waiting = func(reason error) { p.waiting.Store(&reason) }
	p.bus, err = bus.Open(ctx, config)
	return err
}

// listenAdmin opens the admin listener, which says that the process is starting until NATS
// is ready. It warns about one that others can reach and that has no password.
func (p *process) listenAdmin(s settings, password *credential.Secret) (err error) {
	if s.AdminAddr == "" {
		return nil
	}
	operators := handlers.Operators{Health: p.starting(), Gatherer: p.registry, Log: p.log, Profiles: s.AdminPProf}
	if password != nil {
		operators.Password = password.Get
	}
	if p.admin, err = listener.Open("ADMIN_ADDR", s.AdminAddr, handlers.NewServer(handlers.Admin(operators), p.log)); err != nil {
		return err
	}
	if address, ok := p.admin.Addr().(*net.TCPAddr); operators.Password == nil && (!ok || !address.IP.IsLoopback()) {
		shows := "/metrics and the checks of /readyz"
		if s.AdminPProf {
			shows += ", and by /debug/pprof what is in memory: secrets, names and numbers"
		}
		p.log.Warn("admin.open", "addr", s.AdminAddr, "shows", shows,
			"hint", "set ADMIN_PASSWORD_FILE, or let only your own network reach ADMIN_ADDR")
	}
	p.operators = operators
	p.admin.Start()
	return nil
}

// starting is the health of a process that is not ready to run.
func (p *process) starting() handlers.Health {
	return handlers.Health{Info: p.config.info, Checks: []handlers.Check{
		{Name: "process", Ask: func(context.Context) error { return errors.New("is starting") }},
		{Name: "nats", Ask: func(context.Context) error {
			if reason := p.waiting.Load(); reason != nil {
				return *reason
			}
			return errors.New("not open yet")
		}},
	}}
}

// run works until ctx ends. Then it stops in this order: the public listener, the calls
// that are being placed, the admin listener, the connection to NATS.
func (p *process) run(ctx context.Context) error {
	defer p.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	p.public.Start()
	for _, l := range []*listener.Listener{p.public, p.admin} {
		if l != nil {
			parts.Go(func() { cancel(<-l.Ended()) })
		}
	}
	parts.Go(func() {
		if err := p.bus.Watch(ctx); err != nil {
			cancel(err)
		}
	})
	parts.Go(func() { p.bus.ReconcileStreams(ctx) })
	parts.Go(func() {
		if err := p.bus.StoreFailed(ctx); err != nil {
			cancel(err)
		}
	})
	parts.Go(func() { p.config.watch(ctx, p.log, p.registry) })
	parts.Go(func() { p.lookups.Run(ctx) })
	if p.watcher != nil {
		parts.Go(func() { p.watcher.Run(ctx) })
	}
	parts.Go(func() {
		if err := p.bus.ServeDNC(ctx, readPerson); err != nil {
			cancel(err)
		}
	})
	dispatched := make(chan struct{})
	go func() { defer close(dispatched); p.dispatcher.Run(ctx) }()

	<-ctx.Done()
	p.stopping.Store(true)
	p.log.Info("process.stopping")
	p.public.Shutdown()
	<-dispatched
	p.admin.Shutdown()
	parts.Wait()
	p.log.Info("process.stopped")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// info is what /readyz shows beside its checks.
func (p *process) info() map[string]any {
	all := p.config.info()
	if stopped := p.bus.Stops(); len(stopped) > 0 {
		all["stopped"] = stopped
	}
	return all
}

// running fails while the process stops, so that load balancers send it no more webhooks.
func (p *process) running(context.Context) error {
	if p.stopping.Load() {
		return errors.New("is stopping")
	}
	return nil
}

func (p *process) close() {
	p.public.Close()
	p.admin.Close()
	if p.bus != nil {
		p.bus.Close()
	}
	p.tracer.Close()
}
