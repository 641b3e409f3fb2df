// Package predict runs a trained model on text: class scores from a classifier, continuations from a language model.
//
// It takes a model directory (a run, a checkpoint, or a Hugging Face GPT-2 directory) and a device, and compiles forward
// programs only. Texts are batched by length; a text's scores are the same bits whatever it is batched with (fp32).
// Errors appear when the directory cannot be read, when it is the wrong kind of model for what is asked, and when the
// device lacks memory.
package predict

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"atoll/engine"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
)

// Options of Load.
type Options struct {
	Precision       kernels.DType
	Which           checkpoint.Which // of a run: best (the zero value) or latest
	VerifyChecksums bool
}

// Model is a loaded model. Its methods may be called from several goroutines; they take turns on the device.
type Model struct {
	Config    model.Config
	Tokenizer *bpe.Tokenizer
	Dir       string   // of the checkpoint that was read
	Warnings  []string // what reading passed over

	mutex     sync.Mutex
	device    kernels.Device
	store     *engine.Store
	precision kernels.DType
	programs  []*shaped // the most recently used last
	decoder   *decoder  // nil until the first text is generated
}

// Load reads the model that path stands for.
func Load(path string, d kernels.Device, o Options) (m *Model, err error) {
	c, err := checkpoint.Open(path, checkpoint.Options{Which: o.Which, VerifyChecksums: o.VerifyChecksums})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	tokenizer, err := bpe.Load(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("tokenizer of %s: %w", c.Dir, err)
	}
	if tokenizer.VocabSize() > c.Config.Vocab {
		return nil, fmt.Errorf("%s: tokenizer has %d tokens, the model %d: want a tokenizer that the model was trained with",
			c.Dir, tokenizer.VocabSize(), c.Config.Vocab)
	}
	m = &Model{Config: c.Config, Tokenizer: tokenizer, Dir: c.Dir, Warnings: c.Warnings, device: d, precision: o.Precision}
	if m.store, err = LoadStore(c, d, nil); err != nil {
		return nil, err
	}
	return m, nil
}

// LoadStore reads a checkpoint's weights into a new store on d, for scoring.
func LoadStore(c *checkpoint.Checkpoint, d kernels.Device, optional []string) (*engine.Store, error) {
	store, err := engine.NewStore(d, c.Config.Params(), nil)
	if err != nil {
		return nil, err
	}
	staged := map[string][]float32{}
	_, err = c.Load(c.Config.Params(), optional, func(p model.Param) []float32 {
		if view := store.View(engine.Weights, p.Name); view != nil {
			return view
		}
		staged[p.Name] = make([]float32, p.Len())
		return staged[p.Name]
	})
	for name, values := range staged {
		err = errors.Join(err, store.Write(engine.Weights, name, values))
	}
	if err != nil {
		store.Free()
		return nil, err
	}
	return store, nil
}

// Labels are the classes, in the order of the scores; empty for a language model.
func (m *Model) Labels() []string { return m.Config.Labels }

// Bytes is the device memory that the model takes now: weights, programs and caches.
func (m *Model) Bytes() int64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	total := m.store.Bytes()
	for _, p := range m.programs {
		total += p.program.Bytes()
	}
	return total
}

// Close gives the memory back. The device stays open.
func (m *Model) Close() {
	m.Release()
	m.store.Free()
}

// shaped is a compiled program with its batch shape.
type shaped struct {
	batch, sequence int
	program         *engine.Program
}

// keptBytes bounds the memory of compiled programs that are kept for the next batch of their shape.
const keptBytes = 512 << 20

// program gives the compiled program of a shape, and drops the ones not used for longest beyond keptBytes.
func (m *Model) program(batch, sequence int) (*engine.Program, error) {
	at := slices.IndexFunc(m.programs, func(p *shaped) bool { return p.batch == batch && p.sequence == sequence })
	if at >= 0 {
		p := m.programs[at]
		m.programs = append(slices.Delete(m.programs, at, at+1), p)
		return p.program, nil
	}
	compiled, err := m.compile(batch, sequence)
	if err != nil {
		return nil, err
	}
	m.programs = append(m.programs, &shaped{batch, sequence, compiled})
	total := int64(0)
	for n := len(m.programs) - 1; n >= 0; n-- {
		total += m.programs[n].program.Bytes()
		if total > keptBytes && n < len(m.programs)-1 {
			for _, p := range m.programs[:n+1] {
				p.program.Free()
			}
			m.programs = slices.Delete(m.programs, 0, n+1)
			break
		}
	}
	return compiled, nil
}

// Over gives a model whose weights are in a store that somebody else owns and may change between calls, such as a trainer.
// Release it instead of closing it.
func Over(store *engine.Store, c model.Config, t *bpe.Tokenizer, precision kernels.DType) *Model {
	return &Model{Config: c, Tokenizer: t, Dir: "the model in training", device: store.Device(), store: store, precision: precision}
}

// Release gives back what the model made for itself, and leaves the store alone.
func (m *Model) Release() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, p := range m.programs {
		p.program.Free()
	}
	m.programs = nil
	if m.decoder != nil {
		m.decoder.free()
		m.decoder = nil
	}
}
