package baseline

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// fitClasses fits exclusive classes. Classes without a training text get no
// logit (and so probability 0); two classes share one logit, as in
// scikit-learn; a single one needs no fit.
func (m *Model) fitClasses(ctx context.Context, data *matrix, labels [][]int32, options Options) error {
	number := make([]int32, m.classes)
	present := make([]bool, m.classes)
	for _, set := range labels {
		present[set[0]] = true
	}
	for class, here := range present {
		if here {
			number[class] = int32(len(m.seen))
			m.seen = append(m.seen, int32(class))
		}
	}
	if len(m.seen) == 1 {
		return nil
	}
	m.outputs = len(m.seen)
	if m.outputs == 2 {
		m.outputs = 1
	}
	targets := make([]int32, len(labels))
	for i, set := range labels {
		targets[i] = number[set[0]]
	}
	m.allocate()
	o := newObjective(data, m.outputs, targets, options)
	result, err := newSolver(o).solve(ctx, options.Tolerance, options.MaxIterations)
	if err != nil {
		return fmt.Errorf("baseline: fit stopped: %w", err)
	}
	m.adopt(data, result, o.k, 0)
	return nil
}

// fitLabels fits one binary regression for each label that some texts have and
// some have not, several at a time.
func (m *Model) fitLabels(ctx context.Context, data *matrix, labels [][]int32, options Options) error {
	targets := make([][]int32, m.classes)
	counts := make([]int, m.classes)
	for class := range targets {
		targets[class] = make([]int32, len(labels))
	}
	for i, set := range labels {
		for _, class := range set {
			counts[class] += 1 - int(targets[class][i])
			targets[class][i] = 1
		}
	}
	for class, count := range counts {
		switch count {
		case 0: // never seen: probability 0
		case len(labels):
			m.always = append(m.always, int32(class))
		default:
			m.seen = append(m.seen, int32(class))
		}
	}
	m.outputs = len(m.seen)
	m.allocate()
	return m.fitEach(ctx, data, targets, options)
}

func (m *Model) fitEach(ctx context.Context, data *matrix, targets [][]int32, options Options) error {
	results := make([]solution, len(m.seen))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(options.Threads)
	for i, class := range m.seen {
		group.Go(func() error {
			alone := options
			alone.Threads = 1
			o := newObjective(data, 1, targets[class], alone)
			result, err := newSolver(o).solve(ctx, options.Tolerance, options.MaxIterations)
			results[i] = result
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("baseline: fit stopped: %w", err)
	}
	for i, result := range results {
		m.adopt(data, result, 1, i)
	}
	return nil
}

func newObjective(data *matrix, k int, targets []int32, options Options) *objective {
	return &objective{
		matrix:  data,
		k:       k,
		ridge:   1 / (options.C * float64(data.rows)),
		targets: targets,
		threads: options.Threads,
		losses:  make([]float64, data.rows),
	}
}

func (m *Model) allocate() {
	m.weights = make([]float32, len(m.vocabulary.df)*m.outputs)
	m.bias = make([]float64, m.outputs)
}

// adopt spreads the k outputs of a solution from columns to features, into the
// model's outputs from first on.
func (m *Model) adopt(data *matrix, result solution, k, first int) {
	for f, column := range data.column {
		for j := range k {
			w := result.w[int(column)*k+j] * float64(data.scale[f])
			m.weights[f*m.outputs+first+j] = float32(w)
		}
	}
	copy(m.bias[first:], result.w[data.columns*k:])
	m.iterations = max(m.iterations, result.iterations)
	m.converged = m.converged && result.converged
}
