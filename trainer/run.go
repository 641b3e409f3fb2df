package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"atoll/engine"
	"atoll/engine/lower"
	"atoll/kernels"
	"atoll/model"
	"atoll/model/bpe"
	"atoll/model/gpt2"
	"atoll/trainer/data"
	"atoll/trainer/metric"
	"atoll/trainer/optim"
)

// run is a training run under way.
type run struct {
	Settings
	env       Env
	dataset   *data.Dataset
	tokenizer *bpe.Tokenizer
	config    model.Config
	task      task
	trainable func(parameter string) bool

	store    *engine.Store
	programs map[int]*engine.Program // of a forward and backward pass, by sequence length
	widest   *engine.Program         // the one whose activations' memory the others share
	update   *engine.Program         // the optimizer alone, where several micro-batches make a step; nil otherwise
	micro    int                     // micro-batches a step
	steps    int                     // of the whole run; 0 where time decides
	batches  []microBatch            // of the current step, reused
	ahead    ahead                   // the first of the next step

	state   state
	log     *metric.Log
	events  *metric.Events
	history history

	began     time.Time // of this session's training
	before    float64   // seconds trained in earlier sessions
	firstStep int       // of this session
	stopped   string    // why the run ends before its steps are done
	lastRate  float64
	lastScale float64 // what the last loss was multiplied by beside its weight; 1 but in fp16
}

// interrupted is the reason of a run whose context ended.
const interrupted = "interrupted"

// task is what pretraining and fine-tuning do differently.
type task interface {
	// next fills b with the next micro-batch.
	next(b *microBatch) error
	// feed copies b into the inputs of a run, all of them.
	feed(in engine.Inputs, b *microBatch)
	// spec is the graph of one micro-batch of the given rows and length.
	spec(batch, sequence int) gpt2.Spec
	// lossScale is what a row's loss is multiplied by in a step over the given weight.
	lossScale(weight float64) float64
	position() data.State
	restore(data.State) error
	batchesPerEpoch() int64
	// evaluate scores the validation split; more is better in the result's score.
	evaluate(ctx context.Context) (evaluation, error)
	// origin says where the documents of a batch came from.
	origin(b *microBatch) []string
	scoreName() string
	close()
}

// microBatch is the loader's batch, copied, since all micro-batches of a step must be counted before the first is run.
type microBatch struct {
	sequence  int
	tokens    []int32
	targets   []int32 // language model
	lengths   []int32 // classifier, as are labels and sets
	labels    []int32
	sets      []float32
	documents []int
	weight    float64 // what the loss is divided by: targets, rows, or the rows' class weights
	read      int64   // tokens
	uploaded  bool    // its program has it already
}

// openData opens the data directory and its tokenizer.
func (r *run) openData() error {
	var err error
	if r.dataset, err = data.Open(r.Data); err != nil {
		return err
	}
	if r.tokenizer, err = bpe.Load(r.Data); err != nil {
		return fmt.Errorf("tokenizer of %s: %w", r.Data, err)
	}
	return nil
}

// prepare makes the programs, and counts the steps.
func (r *run) prepare() error {
	r.micro = max(1, (r.TokensPerStep+r.Batch*r.Sequence-1)/(r.Batch*r.Sequence))
	r.steps = r.Steps
	if r.Epochs > 0 {
		r.steps = max(1, int(math.Ceil(r.Epochs*float64(r.task.batchesPerEpoch())/float64(r.micro))))
	}
	r.batches = make([]microBatch, r.micro)
	r.programs = map[int]*engine.Program{}
	if r.micro > 1 {
		update, err := r.updateList()
		if err != nil {
			return err
		}
		if r.update, err = engine.CompileList(*update, r.store, engine.Options{}); err != nil {
			return err
		}
	}
	var err error
	r.widest, err = r.program(r.Sequence)
	return err
}

// program gives the compiled pass for a sequence length; with one micro-batch a step it ends in the update.
func (r *run) program(sequence int) (*engine.Program, error) {
	if p := r.programs[sequence]; p != nil {
		return p, nil
	}
	graph, err := gpt2.Build(r.config, r.task.spec(r.Batch, sequence))
	if err != nil {
		return nil, err
	}
	o := engine.Options{Precision: r.env.Precision, Share: r.widest, Ahead: true}
	if o.Recompute, err = lower.ParseRecomputation(r.Recompute); err != nil {
		return nil, err
	}
	if r.micro == 1 {
		if o.Update, err = r.updateList(); err != nil {
			return nil, err
		}
	}
	p, err := engine.Compile(graph, r.store, o)
	if err != nil {
		return nil, err
	}
	r.programs[sequence] = p
	return p, nil
}

// loop runs steps until they are done, time is up, the score has stopped rising, or ctx ends.
func (r *run) loop(ctx context.Context) error {
	r.began, r.before, r.firstStep = time.Now(), r.state.Seconds, r.state.Step
	if r.state.Step > 0 && r.state.Evaluated != r.state.Step && (r.done() || r.evaluationDue()) {
		if err := r.evaluateAndSave(ctx); err != nil { // it was interrupted in the last session
			return err
		}
	}
	for !r.done() {
		if ctx.Err() != nil {
			r.stopped = interrupted
			return r.save(false)
		}
		if err := r.step(); err != nil {
			return err
		}
		if err := r.record(); err != nil {
			return err
		}
		if err := r.evaluateAndSave(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) done() bool {
	if r.stopped != "" {
		return true
	}
	if r.Minutes > 0 {
		return r.seconds() >= r.Minutes*60
	}
	return r.state.Step >= r.steps
}

// seconds is the training time over all sessions of the run.
func (r *run) seconds() float64 { return r.before + time.Since(r.began).Seconds() }

// step gathers the micro-batches of a step, runs them and updates the weights. The state moves only when all went well.
func (r *run) step() error {
	weight, read := 0.0, int64(0)
	for n := range r.batches {
		if err := r.next(n); err != nil {
			return err
		}
		weight += r.batches[n].weight
		read += r.batches[n].read
	}
	step := r.fillStep(weight)
	for n := range r.batches {
		step[kernels.StepAccumulate] = 0
		if n > 0 {
			step[kernels.StepAccumulate] = 1
		}
		if err := r.pass(n); err != nil {
			return err
		}
	}
	if r.update != nil {
		if err := r.update.Run(); err != nil {
			return err
		}
	}
	if err := r.finite(); err != nil {
		return err
	}
	if err := r.moveScale(); err != nil {
		return err
	}
	r.state.Step++
	r.state.Tokens += read
	return nil
}

// fillStep sets the numbers of the next step, over micro-batches of the given weight, but for what differs between them.
func (r *run) fillStep(weight float64) []float32 {
	step := r.store.Step()
	step[kernels.StepLossScale] = float32(r.task.lossScale(weight))
	r.lastRate = r.rate()
	r.adamW().Fill(step, r.lastRate, r.updates())
	r.fillScale(step)
	return step
}

// pass runs forward and backward over one micro-batch. Its dropout is drawn from the seed, the step and its number. An update that
// rounds takes the numbers of the step's last pass, under a salt of its own.
func (r *run) pass(n int) error {
	b := &r.batches[n]
	p, err := r.program(b.sequence)
	if err != nil {
		return err
	}
	if !b.uploaded {
		r.task.feed(p, b)
	}
	key := mix(r.Seed, uint64(r.state.Step)*uint64(r.micro)+uint64(n))
	seed := r.store.Seed()
	seed[0], seed[1] = int32(key), int32(key>>32)
	if err = p.Start(); err == nil {
		err = errors.Join(r.handOver(p, n+1), p.Wait())
	}
	if err != nil {
		return fmt.Errorf("%w (documents %v)", err, r.task.origin(b))
	}
	return nil
}

// mix spreads a seed and a counter over 64 bits (the finalizer of splitmix64, Steele et al. 2014).
func mix(seed, counter uint64) uint64 {
	z := seed + (counter+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// rate is the learning rate of the step that comes next.
func (r *run) rate() float64 {
	s := optim.Schedule{Peak: r.LearningRate, Min: r.minRate(), Warmup: r.Warmup, Steps: r.steps}
	if r.Minutes > 0 {
		return s.RateAt(r.state.Step, r.seconds()/(r.Minutes*60))
	}
	return s.Rate(r.state.Step)
}

// finite refuses a loss or a gradient that is no number, but for gradients that overflowed in fp16. The optimizer's kernel has
// left the weights as they were.
func (r *run) finite() error {
	loss, norm := r.loss(), r.gradNorm()
	if isFinite(loss) && (isFinite(norm) || r.scaled()) {
		return nil
	}
	var documents []string
	for n := range r.batches {
		documents = append(documents, r.task.origin(&r.batches[n])...)
	}
	const shown = 8
	if len(documents) > shown {
		documents = append(documents[:shown], fmt.Sprintf("and %d more", len(documents)-shown))
	}
	return fmt.Errorf("loss is %g and gradient norm is %g, want finite numbers; the weights are as before the step; the batch's documents: %v; "+
		"lower the learning rate (--lr %g), or look at these documents and at the weights it started from", loss, norm, documents, r.LearningRate)
}

func (r *run) close() error {
	var err error
	if r.task != nil {
		r.task.close()
	}
	if r.log != nil {
		err = errors.Join(err, r.log.Close())
	}
	if r.events != nil {
		err = errors.Join(err, r.events.Close())
	}
	for _, p := range r.programs {
		if p != r.widest {
			p.Free()
		}
	}
	for _, p := range []*engine.Program{r.widest, r.update} {
		if p != nil {
			p.Free()
		}
	}
	if r.store != nil {
		r.store.Free()
	}
	if r.dataset != nil {
		err = errors.Join(err, r.dataset.Close())
	}
	return err
}
