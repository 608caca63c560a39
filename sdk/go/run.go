package bulkhead

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The protocol gives 5 s from the end of the session to the end of the process.
const exitTimeMax = 4 * time.Second

// Plugin is a program: its name, its version and its classes.
type Plugin struct {
	// Name is the program's own unless given.
	Name string
	// Version is 0.0.0 unless given.
	Version string
	Classes []Class

	metrics metricRegistry
}

func (p *Plugin) version() string {
	if p.Version == "" {
		return "0.0.0"
	}
	return p.Version
}

func (p *Plugin) class(name string) (*Class, error) {
	known := make([]string, len(p.Classes))
	for at := range p.Classes {
		if p.Classes[at].name == name {
			return &p.Classes[at], nil
		}
		known[at] = p.Classes[at].name
	}
	return nil, ConfigError("plugin %s has no class %s; it has %s", p.Name, name, strings.Join(known, ", "))
}

// connectorClass is a source's or sink's.
func (p *Plugin) connectorClass(name string) (*Class, error) {
	class, err := p.class(name)
	if err == nil && class.isStage() {
		return nil, ConfigError("%s is a %s, not a connector", name, class.kindName())
	}
	return class, err
}

func (p *Plugin) stageClass(name string) (*Class, error) {
	class, err := p.class(name)
	if err == nil && !class.isStage() {
		return nil, ConfigError("%s is a %s, not a transform, predicate or converter", name, class.kindName())
	}
	return class, err
}

// Main runs a program of these classes: see Plugin.Run.
func Main(classes ...Class) { (&Plugin{Classes: classes}).Run() }

// Run runs the plugin: call it once, from main. It does not return. With the argument `manifest` the
// program prints its plugin.json instead of waiting for a host, with `docs` a page about its keys.
func (p *Plugin) Run() {
	if p.Name == "" {
		p.Name = strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	}
	for _, class := range p.Classes {
		if class.problem != nil {
			fail("%s: %v", p.Name, class.problem)
		}
	}
	switch {
	case len(os.Args) > 1 && os.Args[1] == "manifest":
		fmt.Print(manifestText(p, programCommand()))
	case len(os.Args) > 1 && os.Args[1] == "docs":
		fmt.Print(docsText(p))
	default:
		p.serve()
	}
}

func fail(format string, args ...any) {
	warnLocally(format, args...)
	os.Exit(1)
}

// serve never returns.
func (p *Plugin) serve() {
	var lock sync.Mutex
	var opened *session
	hostIsGone := func() {
		lock.Lock()
		defer lock.Unlock()
		if opened == nil {
			os.Exit(0)
		}
		opened.over("the host closed stdin", true)
	}
	said, err := readLaunch(p.Name, hostIsGone)
	if err != nil {
		fail("%s: %v", p.Name, err)
	}
	logs := newLogBuffer()
	slog.SetDefault(slog.New(&logHandler{buffer: logs, logger: p.Name}))
	made, err := newSession(p, said, logs)
	if err == nil {
		lock.Lock()
		opened = made
		lock.Unlock()
		err = made.open()
	}
	if err != nil {
		fail("%s: %v", p.Name, err)
	}
	<-made.ctx.Done()
	made.settle(exitTimeMax)
	if made.expected {
		os.Exit(0)
	}
	// User code that still runs must not keep the process.
	fail("%s: %v", p.Name, context.Cause(made.ctx))
}

// programCommand is how the host starts this program, from the folder that it is in.
func programCommand() []string {
	return []string{"./" + filepath.Base(os.Args[0])}
}
