package bulkhead

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	methodPath = "/bulkhead.plugin.v1.PluginHost/"
	// The host allows messages of this much more than their payload.
	messageBytesExtra = 64 * 1024
)

// connection is the channel to the host, and others that task streams name.
type connection struct {
	launch *launch
	lock   sync.Mutex
	dialed map[string]*grpc.ClientConn
}

func newConnection(said *launch) *connection {
	return &connection{launch: said, dialed: map[string]*grpc.ClientConn{}}
}

func (c *connection) stream(method, address string) (*stream, error) {
	if address == "" {
		address = c.launch.Address
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	channel := c.dialed[address]
	if channel == nil {
		var err error
		if channel, err = c.dial(address); err != nil {
			return nil, err
		}
		c.dialed[address] = channel
	}
	return newStream(channel, method), nil
}

func (c *connection) dial(address string) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if said := c.launch.TLS; said != nil {
		config := &tls.Config{ServerName: said.ServerName, MinVersion: tls.VersionTLS12}
		if said.CA != "" {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM([]byte(said.CA)) {
				return nil, errors.New("the launch line's tls.ca is no certificate")
			}
		}
		if said.Cert != "" {
			pair, err := tls.X509KeyPair([]byte(said.Cert), []byte(said.Key))
			if err != nil {
				return nil, errors.New("the launch line's tls.cert and tls.key are no pair")
			}
			config.Certificates = []tls.Certificate{pair}
		}
		security = credentials.NewTLS(config)
	}
	limit := c.launch.MaxMessageBytes + messageBytesExtra
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithInitialWindowSize(c.launch.WindowBytes),
		grpc.WithInitialConnWindowSize(c.launch.WindowBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(limit), grpc.MaxCallSendMsgSize(limit)),
		// The session is never dialled again: a lost connection is its end.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
	}
	if c.launch.TLS == nil {
		options = append(options, grpc.WithAuthority("localhost"))
	}
	return grpc.NewClient(address, options...)
}

// wire is what a session or a task needs of its stream; the harness has another.
type wire interface {
	// open says hello and calls onMessage for whatever comes, on a goroutine of its own, then onEnd once.
	open(hello proto.Message, empty func() proto.Message, onMessage func(proto.Message), onEnd func(reason string)) error
	// waitOpened waits until the host has taken the stream's ticket; false = it has not.
	waitOpened() bool
	write(message proto.Message)
	backlog() int
	// finish half-closes: nothing more is sent, the host may still say something.
	finish()
	cancel()
}

// stream is one bidi stream. It is always read; what is written waits in a queue.
type stream struct {
	channel *grpc.ClientConn
	method  string
	ctx     context.Context
	stop    context.CancelFunc
	call    grpc.ClientStream

	lock sync.Mutex
	more sync.Cond
	// I5: what costs credit is bounded by it; the rest by those who send it (backlog).
	queue    []proto.Message
	finished bool
}

func newStream(channel *grpc.ClientConn, method string) *stream {
	ctx, stop := context.WithCancel(context.Background())
	made := &stream{channel: channel, method: method, ctx: ctx, stop: stop}
	made.more.L = &made.lock
	return made
}

func (s *stream) open(hello proto.Message, empty func() proto.Message, onMessage func(proto.Message), onEnd func(string)) error {
	description := &grpc.StreamDesc{StreamName: s.method, ServerStreams: true, ClientStreams: true}
	call, err := s.channel.NewStream(s.ctx, description, methodPath+s.method)
	if err != nil {
		s.stop()
		return fmt.Errorf("cannot open the stream %s: %s", s.method, status.Convert(err).Message())
	}
	s.call = call
	s.lock.Lock()
	s.queue = append([]proto.Message{hello}, s.queue...)
	s.lock.Unlock()
	go s.send()
	go s.receive(empty, onMessage, onEnd)
	return nil
}

func (s *stream) waitOpened() bool {
	// A stream that was refused has no metadata at all.
	metadata, err := s.call.Header()
	return err == nil && metadata != nil
}

func (s *stream) write(message proto.Message) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.finished {
		s.queue = append(s.queue, message)
		s.more.Signal()
	}
}

func (s *stream) backlog() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return len(s.queue)
}

func (s *stream) finish() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.finished = true
	s.more.Signal()
}

func (s *stream) cancel() {
	s.finish()
	s.stop()
}

func (s *stream) send() {
	var taken []proto.Message
	for {
		s.lock.Lock()
		for len(s.queue) == 0 && !s.finished {
			s.more.Wait()
		}
		taken, s.queue = s.queue, taken[:0]
		over := s.finished && len(taken) == 0
		s.lock.Unlock()
		if over {
			_ = s.call.CloseSend()
			return
		}
		for at, message := range taken {
			// What it fails with is seen by the reader.
			if s.call.SendMsg(message) != nil {
				s.finish()
				return
			}
			taken[at] = nil
		}
	}
}

func (s *stream) receive(empty func() proto.Message, onMessage func(proto.Message), onEnd func(string)) {
	reason := "the host ended the stream"
	for {
		message := empty()
		err := s.call.RecvMsg(message)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				reason = status.Convert(err).Message()
			}
			break
		}
		onMessage(message)
	}
	s.finish()
	onEnd(reason)
	s.stop()
}
