// Test code: stands for the kubelet's PodResources endpoint, by its published v1 API (k8s.io/kubelet) and Go's gRPC, which the kubelet uses, too.
// SPDX-License-Identifier: Apache-2.0
//
//	kubelet-standin SOCKET STATE [MANNER]
//
// STATE is a JSON file: {"list": ListPodResourcesResponse, "allocatable": AllocatableResourcesResponse}, with the fields' published
// names, read anew for each call: whoever changes it replaces it by a rename. It says "ready" and serves until its input ends. The
// manners are below.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/status"
	v1 "k8s.io/kubelet/pkg/apis/podresources/v1"
)

const (
	plain         = "plain"
	hang          = "hang"          // a call has no end
	slow          = "slow"          // a byte each millisecond
	cut           = "cut"           // the first connection ends before its first byte, the second one after it, and so on
	garbage       = "garbage"       // a message that is not protobuf
	notGrpc       = "not-grpc"      // HTTP/1.1
	mute          = "mute"          // a connection on which nothing comes
	huge          = "huge"          // a message above 16 MiB
	hollow        = "hollow"        // 14 MiB of pods without anything
	newer         = "newer"         // with fields that nobody knows yet
	old           = "old"           // no service of version 1: Kubernetes before 1.20
	unimplemented = "unimplemented" // List alone: Kubernetes 1.20
	disabled      = "disabled"      // Get and GetAllocatableResources are switched off
	limited       = "limited"       // too many calls
	refusing      = "refusing"      // an error whose words are to be escaped
	wordy         = "wordy"         // and one with a great many of them
)

// Manners of a server that speaks HTTP/2 and is no server of gRPC's, or a broken one: what it answers to each call.
var answers = map[string]struct {
	code                int
	kind, body, trailer string
	headers             int
}{
	"no-status":  {200, "application/grpc", "\x00\x00\x00\x00\x00", "", 0},
	"bad-status": {200, "application/grpc", "\x00\x00\x00\x00\x00", "zero", 0},
	"empty":      {200, "application/grpc", "", "0", 0},
	"short":      {200, "application/grpc", "\x00\x00\x00\x00\x02\x0a", "0", 0},
	"two":        {200, "application/grpc", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "0", 0},
	"compressed": {200, "application/grpc", "\x01\x00\x00\x00\x00", "0", 0},
	"web":        {200, "text/html", "\x00\x00\x00\x00\x00", "0", 0},
	"not-found":  {404, "application/grpc", "\x00\x00\x00\x00\x00", "0", 0},
	"headers":    {200, "application/grpc", "\x00\x00\x00\x00\x00", "0", 1 << 10},
}

func answer(w http.ResponseWriter, manner string) {
	a := answers[manner]
	w.Header().Set("Content-Type", a.kind)
	for i := 0; i < a.headers; i++ {
		w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 64))
	}
	w.Header().Set("Trailer", "Grpc-Status")
	w.WriteHeader(a.code)
	io.WriteString(w, a.body)
	w.(http.Flusher).Flush() // or it would have a Content-Length, which no server of gRPC's sends
	if a.trailer != "" {
		w.Header().Set("Grpc-Status", a.trailer)
	}
}

func serveHTTP2(l net.Listener, manner string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		io.Copy(io.Discard, request.Body)
		answer(w, manner)
	})
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go new(http2.Server).ServeConn(c, &http2.ServeConnOpts{Handler: handler})
	}
}

type state struct {
	List        v1.ListPodResourcesResponse
	Allocatable v1.AllocatableResourcesResponse
}

// The words of errors are the kubelet's own.
type server struct {
	v1.UnimplementedPodResourcesListerServer
	file   string
	manner string
}

func (s *server) read() (*state, error) {
	var now state
	text, err := os.ReadFile(s.file)
	if err == nil {
		err = json.Unmarshal(text, &now)
	}
	return &now, err
}

func (s *server) trouble(ctx context.Context) error {
	switch s.manner {
	case hang:
		<-ctx.Done()
		return ctx.Err()
	case limited:
		return status.Error(codes.ResourceExhausted, "rejected by rate limit")
	case refusing:
		return errors.New("100% of\nthe “devices” are \x1b[31mlost")
	case wordy:
		return errors.New(strings.Repeat("never ", 1<<12))
	}
	return nil
}

func (s *server) List(ctx context.Context, _ *v1.ListPodResourcesRequest) (*v1.ListPodResourcesResponse, error) {
	now, err := s.read()
	if err != nil {
		return nil, err
	}
	return &now.List, s.trouble(ctx)
}

func (s *server) GetAllocatableResources(ctx context.Context, request *v1.AllocatableResourcesRequest) (*v1.AllocatableResourcesResponse, error) {
	switch s.manner {
	case unimplemented:
		return s.UnimplementedPodResourcesListerServer.GetAllocatableResources(ctx, request)
	case disabled:
		return nil, errors.New("Pod Resources API GetAllocatableResources disabled")
	}
	now, err := s.read()
	if err != nil {
		return nil, err
	}
	return &now.Allocatable, s.trouble(ctx)
}

func (s *server) Get(ctx context.Context, request *v1.GetPodResourcesRequest) (*v1.GetPodResourcesResponse, error) {
	switch s.manner {
	case unimplemented:
		return s.UnimplementedPodResourcesListerServer.Get(ctx, request)
	case disabled:
		return nil, errors.New("PodResources API Get method disabled")
	}
	now, err := s.read()
	if err != nil {
		return nil, err
	}
	for _, pod := range now.List.PodResources {
		if pod.Name == request.PodName && pod.Namespace == request.PodNamespace {
			return &v1.GetPodResourcesResponse{PodResources: pod}, s.trouble(ctx)
		}
	}
	return nil, fmt.Errorf("pod %s in namespace %s not found", request.PodName, request.PodNamespace)
}

// Replaces what the messages are on the wire.
type codec struct {
	encoding.Codec
	bytes  []byte
	behind []byte
}

func (c codec) Marshal(message any) ([]byte, error) {
	if c.bytes != nil {
		return c.bytes, nil
	}
	bytes, err := c.Codec.Marshal(message)
	return append(bytes, c.behind...), err
}

func codecOf(manner string) grpc.ServerOption {
	c := codec{Codec: encoding.GetCodec("proto")}
	switch manner {
	case garbage:
		c.bytes = []byte("\x0a\xff\xff\xff\xff\x7fgarbage")
	case huge:
		c.bytes = make([]byte, 16<<20+1)
	case hollow:
		c.bytes = []byte(strings.Repeat("\x0a\x00", 7<<20))
	case newer: // a number, a text and a group of fixed ones, with numbers of which none is given out yet
		c.behind = []byte("\xf8\x3f\x05" + "\xfa\x3f\x03new" + "\xfd\x3f1234" + "\xf9\x3f12345678")
	}
	return grpc.ForceServerCodec(c)
}

// A connection whose output is slow, or ends after some bytes.
type conn struct {
	net.Conn
	left int
	slow bool
}

func (c *conn) Write(bytes []byte) (int, error) {
	if !c.slow {
		part := min(c.left, len(bytes))
		n, err := c.Conn.Write(bytes[:part])
		c.left -= n
		if err == nil && part < len(bytes) {
			c.Conn.Close()
			err = io.ErrClosedPipe
		}
		return n, err
	}
	for i := range bytes {
		if _, err := c.Conn.Write(bytes[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(time.Millisecond)
	}
	return len(bytes), nil
}

type listener struct {
	net.Listener
	manner string
	count  atomic.Int32
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || (l.manner != cut && l.manner != slow) {
		return c, err
	}
	return &conn{Conn: c, left: int(l.count.Add(1)) - 1, slow: l.manner == slow}, nil
}

// Without HTTP/2.
func serveRaw(l net.Listener, answer string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if answer != "" {
			io.WriteString(c, answer)
			c.Close()
		}
	}
}

func serve(l net.Listener, s *server) {
	if _, found := answers[s.manner]; found {
		serveHTTP2(l, s.manner)
		return
	}
	switch s.manner {
	case notGrpc:
		serveRaw(l, "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\x00\x00\x00\x00\x00")
	case mute:
		serveRaw(l, "")
	default:
		g := grpc.NewServer(codecOf(s.manner))
		if s.manner != old {
			v1.RegisterPodResourcesListerServer(g, s)
		}
		g.Serve(&listener{Listener: l, manner: s.manner})
	}
}

func run(socket, file, manner string) error {
	s := &server{file: file, manner: manner}
	if _, err := s.read(); err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go serve(l, s)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func main() {
	manner := plain
	if len(os.Args) == 4 {
		manner = os.Args[3]
	} else if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: kubelet-standin SOCKET STATE [MANNER]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], manner); err != nil {
		fmt.Fprintln(os.Stderr, "kubelet-standin:", err)
		os.Exit(1)
	}
}
