package trainer

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"atoll/engine"
	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/model/gpt2"
)

// NoRoomError says that training wants more memory than the device has left, before any of it is taken.
type NoRoomError struct {
	Device      string
	Need        engine.Need
	Free, Total int64
	Batch       int    // of the settings
	Fits        int    // the largest batch that fits; 0 where not even one row does
	Recompute   string // what the settings' batch would fit with, if it is not what they say; empty where there is none
}

func (e *NoRoomError) Error() string {
	n := e.Need
	return fmt.Sprintf("%s: training wants %d bytes (%.1f GiB: weights %d, gradients %d, moments %d, activations %d, inputs and outputs %d), "+
		"and %d (%.1f GiB) of %d are free: %s", e.Device, n.Total(), gib(n.Total()), n.Weights, n.Gradients, n.Moments, n.Activations, n.Ends,
		e.Free, gib(e.Free), e.Total, e.remedy())
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

func (e *NoRoomError) remedy() string {
	var ways []string
	if e.Fits > 0 {
		ways = append(ways, fmt.Sprintf("--batch %d is the largest that fits (--tokens-per-step adds several up)", e.Fits))
	} else {
		ways = append(ways, "not even --batch 1 fits")
	}
	if e.Recompute != "" {
		ways = append(ways, fmt.Sprintf("with --recompute %s this batch of %d fits", e.Recompute, e.Batch))
	} else if e.Fits == 0 {
		ways = append(ways, "want a smaller model, a shorter --seq, or more memory")
	}
	return strings.Join(ways, "; ")
}

// checkMemory holds what the run will take against what the device has left. s is a sketch of the store. A device that cannot
// say how much that is passes.
func (r *run) checkMemory(s *engine.Store) error {
	meter, ok := r.env.Device.(kernels.MemoryMeter)
	if !ok {
		return nil
	}
	free, total, err := meter.Memory()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	need, err := r.need(s, r.Batch, r.Recompute)
	if err != nil || need.Total() <= free {
		return err
	}
	e := &NoRoomError{Device: r.env.Device.Name(), Need: need, Free: free, Total: total, Batch: r.Batch}
	fits := func(batch int, how string) bool {
		need, failed := r.need(s, batch, how)
		err = errors.Join(err, failed)
		return failed == nil && need.Total() <= free
	}
	e.Fits = sort.Search(r.Batch-1, func(n int) bool { return !fits(n+1, r.Recompute) })
	for _, how := range []lower.Recomputation{lower.RecomputeGELU, lower.RecomputeBlock} {
		if e.Recompute == "" && r.Recompute != how.String() && fits(r.Batch, how.String()) {
			e.Recompute = how.String()
		}
	}
	return errors.Join(err, e)
}

// need plans a run with another batch or another choice of what is recomputed.
func (r *run) need(s *engine.Store, batch int, recompute string) (engine.Need, error) {
	how, err := lower.ParseRecomputation(recompute)
	if err != nil {
		return engine.Need{}, err
	}
	graph, err := gpt2.Build(r.config, r.task.spec(batch, r.Sequence))
	if err != nil {
		return engine.Need{}, err
	}
	list, err := engine.Lower(graph, engine.Options{Precision: r.env.Precision, Logits: engine.LogitsOf(r.env.Device),
		Recompute: engine.RecomputationOf(r.env.Device, how)})
	if err != nil {
		return engine.Need{}, err
	}
	need := s.Need(list)
	if _, ahead := r.env.Device.(kernels.Stager); ahead {
		need.Ends += 2 * need.Inputs
	}
	return need, nil
}
