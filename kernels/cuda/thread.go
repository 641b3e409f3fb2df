//go:build gpu

package cuda

import "runtime"

// job is something that calls the driver.
type job interface{ do() error }

type jobFunc func() error

func (f jobFunc) do() error { return f() }

// thread is one thread of the system that makes all driver calls of a device: a context is current on a thread, and Go moves
// goroutines from one to another.
type thread struct {
	jobs chan job
	done chan error
}

func newThread() *thread {
	t := &thread{make(chan job), make(chan error)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its context with it
		for j := range t.jobs {
			t.done <- j.do()
		}
	}()
	return t
}

// run has the thread do a job and waits. One at a time: the device's lock sees to that.
func (t *thread) run(j job) error {
	t.jobs <- j
	return <-t.done
}

func (t *thread) end() { close(t.jobs) }
