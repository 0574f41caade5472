// Package serving answers: how does one testbed program listen, say where, and end?
package serving

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// announcement is the one line on standard output, printed as soon as connections are accepted.
type announcement struct {
	Address string            `json:"address"` // host:port, the port chosen by the kernel
	Modules map[string]string `json:"modules"` // what is linked in, by module: "k8s.io/api": "v0.27.4"
}

// Main serves the handlers over TLS until SIGTERM, SIGINT or the end of standard input.
//
// The end of standard input is how it notices that the test run is gone, even after SIGKILL:
// the pipe closes with its last writer, and nothing is left behind.
func Main(groups ...map[string]http.Handler) {
	listen := flag.String("listen", "127.0.0.1:0", "host:port to listen on; port 0 lets the kernel choose")
	certificate := flag.String("cert", "", "PEM file with the serving certificate")
	key := flag.String("key", "", "PEM file with its private key")
	flag.Parse()
	// Without one controller-runtime complains after 30 s; 0.15 panics on logr.Discard().
	ctrllog.SetLogger(logr.New(ctrllog.NullLogSink{}))
	if err := serve(*listen, *certificate, *key, routes(groups)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func routes(groups []map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, group := range groups {
		for path, handler := range group {
			mux.Handle(path, handler)
		}
	}
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	return mux
}

func serve(address, certificate, key string, handler http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, certificate, key) }()
	if err := announce(listener.Addr().String()); err != nil {
		return err
	}
	select {
	case err := <-failed:
		if !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	case <-ctx.Done():
	case <-endOf(os.Stdin):
	}
	return server.Close()
}

func announce(address string) error {
	line := announcement{Address: address, Modules: map[string]string{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			line.Modules[module.Path] = module.Version
		}
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

func endOf(reader io.Reader) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, reader)
		close(ended)
	}()
	return ended
}
