package trainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"atoll/engine"
	"atoll/engine/ir"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
	"atoll/trainer/data"
)

// updateList is the optimizer over what the store trains.
func (r *run) updateList() (*ir.Program, error) {
	elements, gradElements := r.store.Elements()
	list, err := r.adamW().Update(r.store.Ranges(), elements, gradElements)
	return &list, err
}

// baseConfig is the model of a run that starts from nothing, with the vocabulary of the data.
func (r *run) baseConfig() (model.Config, error) {
	vocabulary := r.dataset.Manifest.Tokenizer.VocabularySize
	if strings.HasSuffix(r.Model, ".json") {
		text, err := os.ReadFile(r.Model)
		if err != nil {
			return model.Config{}, err
		}
		c, err := model.Parse(text)
		if err != nil {
			return c, fmt.Errorf("%s: %w", r.Model, err)
		}
		if c.Vocab < vocabulary {
			return c, fmt.Errorf("%s: the model's vocabulary is %d, and the data in %s has %d tokens: want a vocab_size of at least that", r.Model, c.Vocab, r.Data, vocabulary)
		}
		return c, nil
	}
	c, err := model.Named(r.Model)
	if err != nil {
		return c, err
	}
	c.Vocab = vocabulary
	c.EndOfText = int(r.tokenizer.EndOfText())
	c.PadToken = c.EndOfText
	c.Positions = max(c.Positions, r.Sequence)
	return c, nil
}

// withDropout is c with the run's dropout in all three places.
func (r *run) withDropout(c model.Config) model.Config {
	c.EmbdDropout, c.ResidDropout, c.AttnDropout = float32(r.Dropout), float32(r.Dropout), float32(r.Dropout)
	return c
}

// openWeights opens the model that the run starts from and checks that the data was made with its tokenizer.
//
// A resumed run opens its own newest checkpoint instead: the model that it once started from may be gone.
func (r *run) openWeights() (*checkpoint.Checkpoint, error) {
	from := r.From
	if r.Resume {
		if dir, _, err := checkpoint.Latest(r.Out); err == nil {
			from = dir
		}
	}
	c, err := checkpoint.Open(from, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	if err := sameTokenizer(r.dataset, r.tokenizer, c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// sameTokenizer refuses a model whose tokenizer is not the one that a data directory was prepared with.
func sameTokenizer(d *data.Dataset, ours *bpe.Tokenizer, c *checkpoint.Checkpoint) error {
	if n := d.Manifest.Tokenizer.VocabularySize; n > c.Config.Vocab {
		return fmt.Errorf("vocabulary mismatch: the data in %s has %d tokens, the model in %s %d: prepare the data with --tokenizer %s", d.Dir(), n, c.Dir, c.Config.Vocab, c.Dir)
	}
	theirs, err := bpe.Load(c.Dir)
	if err != nil {
		return fmt.Errorf("tokenizer of %s: %w", c.Dir, err)
	}
	a, errA := theirs.MarshalJSON()
	b, errB := ours.MarshalJSON()
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("tokenizer mismatch: the data in %s was not prepared with the tokenizer of %s: prepare it with --tokenizer %s", d.Dir(), c.Dir, c.Dir)
	}
	return nil
}

// newStore makes the store and fills it: from c where it is not nil, with new values for what c lacks.
func (r *run) newStore(c *checkpoint.Checkpoint, optional ...string) error {
	params := r.config.Params()
	if err := r.checkMemory(engine.Sketch(params, r.trainable)); err != nil {
		return err
	}
	var err error
	if r.store, err = engine.NewStore(r.env.Device, params, r.trainable); err != nil {
		return err
	}
	loaded := checkpoint.Loaded{}
	if c != nil {
		if loaded, err = r.load(c, params, optional); err != nil {
			return err
		}
	} else {
		for _, p := range params {
			loaded.Absent = append(loaded.Absent, p.Name)
		}
	}
	for _, name := range loaded.Absent {
		if err := r.initialize(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) load(c *checkpoint.Checkpoint, params []model.Param, optional []string) (checkpoint.Loaded, error) {
	staged := map[string][]float32{}
	loaded, err := c.Load(params, optional, func(p model.Param) []float32 {
		if view := r.store.View(engine.Weights, p.Name); view != nil {
			return view
		}
		staged[p.Name] = make([]float32, p.Len())
		return staged[p.Name]
	})
	for name, values := range staged {
		err = errors.Join(err, r.store.Write(engine.Weights, name, values))
	}
	return loaded, err
}

func (r *run) initialize(name string) error {
	for _, p := range r.config.Params() {
		if p.Name == name {
			values := make([]float32, p.Len())
			if err := model.Initialize(p, r.Seed, values); err != nil {
				return err
			}
			return r.store.Write(engine.Weights, name, values)
		}
	}
	return fmt.Errorf("the model has no parameter %q", name)
}
