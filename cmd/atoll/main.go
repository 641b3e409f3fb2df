// Command atoll turns GPT-2 into a text classifier: prepare text, pretrain, fine-tune, evaluate, classify, serve.
//
// Results go to standard output; progress, warnings and logs to standard error. It exits with 0 when done, 1 when it
// failed, 2 on wrong usage, and 130 when it was interrupted and has saved.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(streams{stdin, stdout, stderr})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(stderr, "atoll: interrupted; what was done is saved")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "atoll: %v\n", err)
		return exitUsage
	case errors.Is(err, syscall.EPIPE):
		return exitFailed // the reader of our output has gone: nobody is there to be told
	}
	fmt.Fprintf(stderr, "atoll: %v\n", err)
	return exitFailed
}
