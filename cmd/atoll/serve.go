package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"atoll/cmd/atoll/server"
	"atoll/model/predict"
)

// serveFlags are the settings of serve beside its device.
type serveFlags struct {
	model, name, listen string
	limits              server.Limits
}

func newServe(s streams) *cobra.Command {
	f, device := serveFlags{limits: server.DefaultLimits()}, deviceFlags{answers: true}
	c := &cobra.Command{
		Use:   "serve --model MODEL",
		Short: "Answer classification requests over HTTP, with a page to try the model on",
		Long: "Answers POST /v1/classify with the scores that atoll classify gives, and shows a page at /. /health, /ready and /metrics are\n" +
			"for whoever runs it. On SIGTERM or Ctrl-C it finishes what is under way and exits with 0; a second one ends it at once.\n" +
			"It knows no passwords and no TLS: where strangers can reach the address, put a proxy that does before it.",
		Example: "  atoll serve --model runs/sms\n" +
			"  curl http://127.0.0.1:8080/v1/classify -H 'Content-Type: application/json' -d '{\"input\": \"Win a prize now\"}'",
		Args: exactly(0, "flags only"),
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), s, &f, &device) },
	}
	flags, l := c.Flags(), &f.limits
	flags.StringVar(&f.model, "model", "", "the classifier: a run, a checkpoint or a Hugging Face GPT-2 directory")
	flags.StringVar(&f.name, "name", "", "what answers call the model; default: the name of its directory")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "address and port; port 0 takes any free one; :8080 listens on all addresses")
	flags.IntVar(&l.BodyBytes, "max-body", l.BodyBytes, "bytes of a request's body")
	flags.IntVar(&l.Texts, "max-texts", l.Texts, "texts in a request")
	flags.IntVar(&l.Requests, "max-requests", l.Requests, "requests under way at once; beyond it clients are told to come back")
	flags.IntVar(&l.QueuedTexts, "max-queue", l.QueuedTexts, "texts waiting for the model; beyond it clients are told to come back")
	flags.DurationVar(&l.Request, "timeout", l.Request, "time that a request may take")
	flags.DurationVar(&l.Read, "read-timeout", l.Read, "time that a client may take to send its request")
	flags.DurationVar(&l.Drain, "drain-timeout", l.Drain, "time to finish what is under way after being told to stop")
	flags.IntVar(&l.BatchTokens, "batch-tokens", l.BatchTokens, "tokens classified together")
	flags.DurationVar(&l.BatchWait, "batch-wait", l.BatchWait, "how long a batch waits for the texts of more requests")
	device.add(flags)
	withConfig(c)
	return c
}

func serve(ctx context.Context, s streams, f *serveFlags, device *deviceFlags) (err error) {
	if f.model == "" {
		return usage("serve: no model: give --model MODEL, such as a run of atoll finetune")
	}
	web, err := server.New(f.limits, s.err)
	if err != nil {
		return usage("serve: %w", err)
	}
	d, precision, packing, err := device.openToAnswer(s.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	listener, err := listen(f.listen)
	if err != nil {
		return err
	}
	// A second signal ends the process as if it had never asked for the first.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()

	var m *predict.Model
	defer func() {
		if m != nil {
			m.Close()
		}
	}()
	err = web.Serve(ctx, listener, func(ctx context.Context) (_ server.Model, err error) {
		if m, err = predict.Load(f.model, d, predict.Options{Precision: precision, Packing: packing}); err != nil {
			return server.Model{}, err
		}
		for _, w := range m.Warnings {
			fmt.Fprintf(s.err, "atoll: %s\n", w)
		}
		// Compiles and runs once, so that a model that cannot answer is found now.
		if _, err = m.Classify(ctx, []string{"ready"}); err != nil {
			return server.Model{}, err
		}
		served := servedModel(f, m)
		fmt.Fprintf(s.err, "%s, %s\n%s: %v, %d labels, from %s\nlistening on http://%s\n", d.Describe(), answerName(precision, packing, d),
			served.Name, served.Problem, len(served.Labels), m.Dir, listener.Addr())
		return served, nil
	})
	if err == nil {
		fmt.Fprintln(s.err, "stopped; everything under way was answered")
	}
	return err
}

func servedModel(f *serveFlags, m *predict.Model) server.Model {
	name := f.name
	if name == "" {
		name = filepath.Base(f.model)
		if path, err := filepath.Abs(f.model); err == nil { // ".", "runs/.."
			name = filepath.Base(path)
		}
	}
	return server.Model{Name: name, Labels: m.Labels(), Problem: m.Config.Problem, MaxTokens: m.Config.Positions, Classifier: m}
}

// listen binds an address, and says what to do where it cannot.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--listen %s: another program listens there: end it, or take another port (port 0 finds a free one)", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("--listen %s: not permitted: take a port of 1024 or more", address)
	}
	return nil, fmt.Errorf("--listen %s: %w: want an address of this machine and a port, such as 127.0.0.1:8080", address, err)
}
