package trainer

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"atoll/engine"
	"atoll/model/gpt2"
	"atoll/model/predict"
)

// readLength is the most tokens that are read at one time. A language model knows the positions that it was trained on
// only, which may be fewer than it has: those of its run's settings.
func (v *evaluator) readLength() (int, error) {
	positions := v.model.Config.Positions
	if n := v.settings.Sequence; n != 0 {
		if n < 1 || n > positions {
			return 0, fmt.Errorf("sequence is %d tokens, want 1 to the model's %d positions (--seq)", n, positions)
		}
		return n, nil
	}
	if len(v.model.Config.Labels) > 0 {
		return positions, nil
	}
	text, err := os.ReadFile(filepath.Join(v.model.Dir, "..", "..", "settings.yaml"))
	if err != nil {
		return positions, nil // not in a run
	}
	var settings Settings
	if err := yaml.Unmarshal(text, &settings); err != nil || settings.Sequence < 1 {
		return positions, nil // another program's file of that name
	}
	return min(settings.Sequence, positions), nil
}

// windowTokens bounds a batch of a language model's evaluation.
const windowTokens = 2048

// language measures the loss on the token stream of the split.
func (v *evaluator) language(ctx context.Context, e *Evaluation) error {
	store, err := predict.LoadStore(v.model, v.env.Device, nil)
	if err != nil {
		return err
	}
	defer store.Free()
	batch := max(1, windowTokens/v.sequence)
	program, err := v.languageProgram(store, batch)
	if err != nil {
		return err
	}
	defer program.Free()
	loss, err := LanguageLoss(ctx, program, v.split, batch, v.sequence, 0)
	if err != nil {
		return err
	}
	if mean := loss.Mean(); math.IsNaN(mean) || math.IsInf(mean, 0) {
		return fmt.Errorf("loss over %d tokens of %s is %g, want a finite number: the weights in %s are damaged, or the split has no second token", loss.Tokens(), v.split.Name(), mean, v.model.Dir)
	}
	bytes := v.split.Info().Bytes
	e.Tokens = loss.Tokens()
	e.Language = &LanguageScores{Loss: loss.Mean(), Perplexity: loss.Perplexity(), Bytes: bytes,
		BitsPerByte: loss.Mean() * float64(loss.Tokens()) / math.Ln2 / float64(max(bytes, 1))}
	return nil
}

func (v *evaluator) languageProgram(store *engine.Store, batch int) (*engine.Program, error) {
	graph, err := gpt2.Build(v.model.Config, gpt2.Spec{Batch: batch, Sequence: v.sequence, Loss: true})
	if err != nil {
		return nil, err
	}
	return engine.Compile(graph, store, engine.Options{Precision: v.env.Precision, Packing: v.env.Packing})
}
