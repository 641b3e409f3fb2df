package trainer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"atoll/engine"
	"atoll/model"
	"atoll/model/checkpoint"
	"atoll/trainer/data"
	"atoll/trainer/metric"
	"atoll/trainer/optim"
)

// stateVersion is of state.json: see docs/formats.md.
const stateVersion = 1

// state is what a run needs to go on, beside the weights and the optimizer's moments. Random numbers are drawn from the
// seed and the step, so they have no state of their own.
type state struct {
	Version      int        `json:"version"`
	Step         int        `json:"step"`    // updates done
	Tokens       int64      `json:"tokens"`  // trained on
	Seconds      float64    `json:"seconds"` // of training
	Position     data.State `json:"position"`
	BestStep     int        `json:"best_step"`  // 0 before the first evaluation
	BestScore    float64    `json:"best_score"` // more is better: a loss is stored below zero
	Stale        int        `json:"stale"`      // evaluations since
	Evaluated    int        `json:"evaluated"`  // step of the last evaluation
	Seed         uint64     `json:"seed"`
	Rounding     bool       `json:"stochastic_rounding,omitempty"`
	MicroBatches int        `json:"micro_batches"` // a step

	LossScale *optim.LossScale `json:"loss_scale,omitempty"` // of a run that trained in fp16
}

const checkpointsFolder = "checkpoints"

func (r *run) path(name string) string { return filepath.Join(r.Out, name) }

// openRun makes the run directory, or goes on with the one that is there.
func (r *run) openRun() error {
	info, err := os.Stat(r.Out)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("run directory: %w: give another --out", err)
	case exists && !info.IsDir():
		return fmt.Errorf("%s is a file, want a folder for the run: give another --out", r.Out)
	case exists && r.Resume:
		return r.resume()
	case exists && !r.Overwrite:
		entries, err := os.ReadDir(r.Out)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return fmt.Errorf("%s exists: pass --resume to go on with it, --overwrite to start again, or another --out", r.Out)
		}
	case exists:
		if err := r.removeRun(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(r.Out, 0o755); err != nil {
		return err
	}
	if err := r.write(r.path("settings.yaml")); err != nil {
		return err
	}
	if r.log, err = metric.CreateLog(r.path("metrics.jsonl")); err != nil {
		return err
	}
	r.events, err = metric.CreateEvents(r.Out, 0)
	return err
}

// entries lists the run directory; a folder with other things in it than a run is an error.
func (r *run) entries() ([]os.DirEntry, error) {
	entries, err := os.ReadDir(r.Out)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(r.path("settings.yaml")); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not a run (it has no settings.yaml): --resume and --overwrite work on runs only; give another --out", r.Out)
	}
	return entries, nil
}

// removeRun deletes an earlier run, and only that: a folder that is not one stays.
func (r *run) removeRun() error {
	entries, err := r.entries()
	if err != nil {
		return err
	}
	if err := r.keepsSource(); err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "settings.yaml", name == "metrics.jsonl", name == reportFile, name == samplesFile, name == checkpointsFolder,
			len(name) > 18 && name[:18] == "events.out.tfevent":
			if err := os.RemoveAll(r.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepsSource refuses to delete the run that this one starts from: it would be lost before the new one is there.
func (r *run) keepsSource() error {
	if r.From == "" {
		return nil
	}
	out, errOut := filepath.EvalSymlinks(r.Out)
	from, errFrom := filepath.EvalSymlinks(r.From)
	if err := errors.Join(errOut, errFrom); err != nil {
		return err
	}
	out, errOut = filepath.Abs(out)
	from, errFrom = filepath.Abs(from)
	if err := errors.Join(errOut, errFrom); err != nil {
		return err
	}
	if below, err := filepath.Rel(out, from); err == nil && filepath.IsLocal(below) {
		return fmt.Errorf("%s holds the weights that the run starts from (--from %s), and --overwrite would delete them: give another --out", r.Out, r.From)
	}
	return nil
}

// resume restores weights, moments, position and logs from the newest complete checkpoint.
func (r *run) resume() (err error) {
	dir, warnings, err := checkpoint.Latest(r.Out)
	if errors.Is(err, checkpoint.ErrNone) {
		return r.restart()
	}
	if err != nil {
		return err
	}
	for _, w := range warnings {
		r.env.Progress.Print("warning: " + w)
	}
	c, err := checkpoint.Open(dir, checkpoint.Options{VerifyChecksums: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err = r.restore(c); err != nil {
		return fmt.Errorf("resume from %s: %w", dir, err)
	}
	if r.log, err = metric.ResumeLog(r.path("metrics.jsonl"), int64(r.state.Step)); err != nil {
		return err
	}
	if r.events, err = metric.CreateEvents(r.Out, int64(r.state.Step)); err != nil {
		return err
	}
	if err = r.history.load(r.Out, r.state.Step); err != nil {
		return err
	}
	r.env.Progress.Print(fmt.Sprintf("resuming after step %d from %s", r.state.Step, dir))
	return r.write(r.path("settings.yaml"))
}

// restart begins a run again that was ended before its first checkpoint.
func (r *run) restart() error {
	if _, err := r.entries(); err != nil {
		return err
	}
	r.env.Progress.Print(fmt.Sprintf("%s has no checkpoint yet: starting at step 0", r.Out))
	var err error
	if r.log, err = metric.ResumeLog(r.path("metrics.jsonl"), 0); err != nil {
		return err
	}
	if r.events, err = metric.CreateEvents(r.Out, 0); err != nil {
		return err
	}
	return r.write(r.path("settings.yaml"))
}

func (r *run) restore(c *checkpoint.Checkpoint) error {
	text, err := c.State()
	if err != nil {
		return err
	}
	var s state
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&s); err != nil {
		return fmt.Errorf("state.json: %w", err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("state.json has version %d, this atoll reads version %d: resume with the atoll that wrote it", s.Version, stateVersion)
	}
	if s.Seed != r.Seed || s.MicroBatches != r.micro {
		return fmt.Errorf("the run has seed %d and %d micro-batches a step, the settings %d and %d: resume with the settings in %s",
			s.Seed, s.MicroBatches, r.Seed, r.micro, r.path("settings.yaml"))
	}
	if s.Rounding != r.Rounding {
		return fmt.Errorf("the run rounds its weights stochastically: %v, the settings: %v: resume with --stochastic-rounding=%v", s.Rounding, r.Rounding,
			s.Rounding)
	}
	if _, err := r.load(c, r.config.Params(), nil); err != nil {
		return err
	}
	if err := r.restoreMoments(c); err != nil {
		return err
	}
	if err := r.task.restore(s.Position); err != nil {
		return err
	}
	r.state = s
	return nil
}

var momentNames = map[engine.Memory]string{engine.Moment1: "moment1.", engine.Moment2: "moment2."}

func (r *run) restoreMoments(c *checkpoint.Checkpoint) error {
	file, err := c.Optimizer()
	if err != nil {
		return err
	}
	defer file.Close()
	for memory, prefix := range momentNames {
		for _, slot := range r.store.Slots {
			if !slot.Trainable {
				continue
			}
			values := make([]float32, slot.Len())
			if err := file.ReadFloat32(prefix+slot.Name, values); err != nil {
				return err
			}
			if err := r.store.Write(memory, slot.Name, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// save writes a checkpoint of the state as it is.
func (r *run) save(best bool) error {
	r.state.Version, r.state.Position, r.state.Seconds = stateVersion, r.position(), r.seconds()
	r.state.Seed, r.state.MicroBatches, r.state.Rounding = r.Seed, r.micro, r.Rounding
	text, err := json.MarshalIndent(r.state, "", "  ")
	if err != nil {
		return err
	}
	tokenizer, err := r.tokenizer.MarshalJSON()
	if err != nil {
		return err
	}
	if err := r.log.Sync(); err != nil {
		return err
	}
	snapshot := checkpoint.Snapshot{Step: r.state.Step, Config: r.config, State: text, Best: best,
		Files: map[string][]byte{"tokenizer.json": tokenizer}}
	for _, slot := range r.store.Slots {
		snapshot.Weights = append(snapshot.Weights, r.source(engine.Weights, "", slot.Param))
		if slot.Trainable {
			for memory, prefix := range momentNames {
				snapshot.Optimizer = append(snapshot.Optimizer, r.source(memory, prefix, slot.Param))
			}
		}
	}
	folder := r.path(checkpointsFolder)
	if _, err := checkpoint.Save(folder, snapshot); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	_, err = checkpoint.Reap(folder, r.KeepLast)
	return err
}

// source streams a tensor off the device.
func (r *run) source(m engine.Memory, prefix string, p model.Param) checkpoint.Source {
	if view := r.store.View(m, p.Name); view != nil {
		return checkpoint.Float32(prefix+p.Name, p.Shape, view)
	}
	return checkpoint.Source{Name: prefix + p.Name, DType: checkpoint.F32, Shape: p.Shape, Write: func(w io.Writer) error {
		values := make([]float32, p.Len())
		if err := r.store.Read(m, p.Name, values); err != nil {
			return err
		}
		return checkpoint.WriteFloat32(w, values)
	}}
}

// trained are the names of the parameters that the run trains.
func (r *run) trained() []string {
	var names []string
	for _, p := range r.config.Params() {
		if r.trainable(p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}
