package trainer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/trainer/data"
)

// small is a device that says how much memory it has left.
type small struct {
	kernels.Device
	free int64
	err  error
}

func (d small) Memory() (free, total int64, err error) { return d.free, 16e9, d.err }

// on gives the error of a run on a device with so much memory left, and what it says where there is no room.
func (l lab) on(s Settings, d small) (*NoRoomError, error) {
	d.Device = l.env.Device
	l.env.Device = d
	_, err := Pretrain(l.Context(), s, l.env)
	var e *NoRoomError
	errors.As(err, &e)
	return e, err
}

// TestNoRoomIsAnErrorBeforeTheStart: it names every part of what is wanted and the largest batch that fits, which is held against
// a device that has exactly as much, and one byte less.
func TestNoRoomIsAnErrorBeforeTheStart(t *testing.T) {
	l := newLab(t)
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	s.Batch, s.Steps = 9, 1
	need := func(batch int, recompute string) int64 {
		s := s
		s.Batch, s.Recompute = batch, recompute
		e, err := l.on(s, small{free: 1000})
		if e == nil || e.Fits != 0 || e.Recompute != "" || !strings.Contains(err.Error(), "not even --batch 1 fits; want a smaller model") {
			t.Fatalf("1000 bytes: %v", err)
		}
		n := e.Need
		for name, bytes := range map[string]int64{"training wants": n.Total(), "weights": n.Weights, "gradients": n.Gradients, "moments": n.Moments,
			"activations": n.Activations, "inputs and outputs": n.Ends} {
			if bytes <= 0 || !strings.Contains(err.Error(), fmt.Sprintf("%s %d", name, bytes)) {
				t.Errorf("%v; want it to say %s %d", err, name, bytes)
			}
		}
		if n.Gradients != n.Weights || n.Moments != 2*n.Weights || n.Total() != 4*n.Weights+n.Activations+n.Ends {
			t.Errorf("%+v", n)
		}
		return n.Total()
	}
	five, nine := need(5, "none"), need(9, "none")
	for _, c := range []struct {
		free int64
		want int
	}{{five, 5}, {five - 1, 4}, {nine - 1, 8}} {
		e, err := l.on(s, small{free: c.free})
		if e == nil || e.Fits != c.want || !strings.Contains(err.Error(), fmt.Sprintf("--batch %d is the largest that fits", c.want)) ||
			!strings.Contains(err.Error(), fmt.Sprintf("and %d (", c.free)) {
			t.Errorf("%d bytes: %v; want it to say --batch %d", c.free, err, c.want)
		}
	}
	if e, err := l.on(s, small{free: need(9, "block")}); e == nil || e.Recompute != "block" || !strings.Contains(err.Error(), "with --recompute block this batch of 9 fits") {
		t.Errorf("%v; want it to say --recompute block", err)
	}
	if e, _ := l.on(s, small{free: need(9, "gelu")}); e == nil || e.Recompute != "gelu" {
		t.Errorf("%+v; want --recompute gelu, which costs less than block", e)
	}
	if _, err := os.Stat(s.Out); err == nil {
		t.Error("a run that did not start has a directory")
	}
	if _, err := l.on(s, small{free: nine}); err != nil {
		t.Errorf("with the bytes that it wants: %v", err)
	}
}

// TestRoomThatIsNotKnown: a device that cannot say what is free passes, one that fails does not.
func TestRoomThatIsNotKnown(t *testing.T) {
	l := newLab(t)
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	s.Steps = 1
	broken := errors.New("the device is gone")
	if _, err := l.on(s, small{err: broken}); !errors.Is(err, broken) {
		t.Errorf("%v, want the device's error", err)
	}
	if _, err := l.on(s, small{err: fmt.Errorf("no: %w", errors.ErrUnsupported)}); err != nil {
		t.Error(err)
	}
}

// TestWhatIsNeededIsWhatIsTaken holds the plan against the memory that the run asks its device for.
func TestWhatIsNeededIsWhatIsTaken(t *testing.T) {
	for _, recompute := range []string{"none", "block"} {
		l := newLab(t)
		s := l.finetuning(l.prepare(data.Classify), "run")
		s.Steps, s.Recompute = 1, recompute
		counted := &counting{small: small{Device: l.env.Device, free: math.MaxInt64}}
		r := &run{Settings: s, env: l.env}
		r.env.Device = counted
		for _, step := range []func() error{r.openData, func() error { return openClassifier(r) }, r.prepare} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		need, err := r.need(r.store, s.Batch, recompute)
		const control, caches = 256, kernels.Alignment
		if err != nil || counted.bytes != need.Total()+control+caches {
			t.Errorf("%s: %d bytes were taken, want %d, %v", recompute, counted.bytes, need.Total()+control+caches, err)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}
}

// counting adds up the buffers that were asked for.
type counting struct {
	small
	bytes int64
}

func (d *counting) NewExchange(in, out int64) (kernels.Buffer, error) {
	d.bytes += in + out
	return d.small.NewExchange(in, out)
}

func (d *counting) NewBuffer(bytes int64) (kernels.Buffer, error) {
	d.bytes += bytes
	return d.small.NewBuffer(bytes)
}
