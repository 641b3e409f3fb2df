// Package predict runs a trained model on text: class scores from a classifier, continuations from a language model.
//
// It takes a model directory (a run, a checkpoint, or a Hugging Face GPT-2 directory) and a device, and compiles forward
// programs only. Texts are batched by length; a text's scores are the same bits whatever it is batched with (fp32).
// Errors appear when the directory cannot be read, when it is the wrong kind of model for what is asked, and when the
// device lacks memory.
package predict

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"atoll/engine"
	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/checkpoint"
)

// Options of Load.
type Options struct {
	Precision       kernels.DType
	Packing         lower.Packing    // of the weights, on a device that has the kernels for it; see Over for what it wants of the store
	Which           checkpoint.Which // of a run: best (the zero value) or latest
	VerifyChecksums bool
	// Mapped leaves the weights in the file, where that can be: the first answer comes sooner, and the memory is the system's to take
	// back. For a process that goes on for long, a copy in large pages is faster, and does not depend on the file.
	Mapped bool
}

// worthPacking is how many runs of programs, over all calls, make up for packing the weights. Reading them costs as much as a run
// or two without, and a process that answers once is better off without the wait.
const worthPacking = 4

// Model is a loaded model. Its methods may be called from several goroutines; they take turns on the device.
type Model struct {
	Config    model.Config
	Tokenizer *bpe.Tokenizer
	Dir       string   // of the checkpoint that was read
	Warnings  []string // what reading passed over

	mutex     sync.Mutex
	file      *checkpoint.Checkpoint // that the weights lie in; nil where they were copied
	device    kernels.Device
	store     *engine.Store
	precision kernels.DType
	packing   lower.Packing // in use now
	later     lower.Packing // in use once there are worthPacking runs
	runs      int           // of programs, asked for so far, counted until the weights are packed
	programs  []*shaped     // the most recently used last
	decoder   *decoder      // nil until the first text is generated
}

// Load reads the model that path stands for.
func Load(path string, d kernels.Device, o Options) (*Model, error) {
	c, err := checkpoint.Open(path, checkpoint.Options{Which: o.Which, VerifyChecksums: o.VerifyChecksums})
	if err != nil {
		return nil, err
	}
	m := &Model{Config: c.Config, Dir: c.Dir, Warnings: c.Warnings, device: d}
	m.compute(o)
	err = m.load(c, o.Mapped)
	if m.file == nil {
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		m.freeStore()
		return nil, err
	}
	return m, nil
}

// load gets the tokenizer and the weights, at the same time.
func (m *Model) load(c *checkpoint.Checkpoint, mapped bool) error {
	var wait sync.WaitGroup
	var failed error
	wait.Go(func() { failed = m.readTokenizer(c) })
	err := m.readWeights(c, mapped)
	wait.Wait()
	return cmp.Or(failed, err)
}

func (m *Model) readTokenizer(c *checkpoint.Checkpoint) (err error) {
	if m.Tokenizer, err = bpe.Load(c.Dir); err != nil {
		return fmt.Errorf("tokenizer of %s: %w", c.Dir, err)
	}
	if m.Tokenizer.VocabSize() > c.Config.Vocab {
		return fmt.Errorf("%s: tokenizer has %d tokens, the model %d: want a tokenizer that the model was trained with",
			c.Dir, m.Tokenizer.VocabSize(), c.Config.Vocab)
	}
	return nil
}

// readWeights leaves them in the file if that is wanted and possible, and else copies them.
func (m *Model) readWeights(c *checkpoint.Checkpoint, mapped bool) (err error) {
	if lender, ok := m.device.(kernels.Lender); ok && mapped {
		file, err := c.Map(c.Config.Params())
		if err != nil {
			return err
		}
		if file != nil {
			m.file = c
			m.store, err = engine.NewStoreOver(lender, c.Config.Params(), file.Memory, func(name string) int64 { return file.First[name] })
			return err
		}
	}
	m.store, err = LoadStore(c, m.device, nil)
	return err
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
	m.freeStore()
}

func (m *Model) freeStore() {
	if m.store != nil {
		m.store.Free()
	}
	if m.file != nil {
		m.file.Close() // of a mapping that was only read: nothing is lost
	}
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

// Over gives a model whose weights are in a store that somebody else owns and, unless Packing is asked for, may change between
// calls, such as a trainer. Of the options, those that say how to compute count. Release it instead of closing it.
func Over(store *engine.Store, c model.Config, t *bpe.Tokenizer, o Options) *Model {
	m := &Model{Config: c, Tokenizer: t, Dir: "the model in training", device: store.Device(), store: store}
	m.compute(o)
	return m
}

// compute says how the model's programs compute. Weights in a file are packed later where that changes no bit of the answers: in fp32.
func (m *Model) compute(o Options) {
	m.precision, m.packing, m.later = o.Precision, o.Packing, o.Packing
	if o.Mapped && o.Packing == lower.PackAlike && o.Precision == kernels.F32 {
		m.packing = lower.Unpacked
	}
}

// expect tells the model that so many runs of programs are coming. When they make packing worth while, the programs so far are dropped.
func (m *Model) expect(runs int) {
	if m.packing == m.later {
		return
	}
	if m.runs += runs; m.runs >= worthPacking {
		m.packing = m.later
		m.dropPrograms()
	}
}

// Release gives back what the model made for itself, and leaves the store alone.
func (m *Model) Release() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.dropPrograms()
}

func (m *Model) dropPrograms() {
	for _, p := range m.programs {
		p.program.Free()
	}
	m.programs = nil
	if m.decoder != nil {
		m.decoder.free()
		m.decoder = nil
	}
}
