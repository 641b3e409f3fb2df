package trainer

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/kernels"
	"atoll/model/checkpoint"
	"atoll/trainer/data"
)

// beside is a device that works beside its host, as far as the host can tell: a run that was started is computed when it is waited for,
// so what the host should have left alone until then would show.
type beside struct {
	kernels.Device
	log    string // s: started, u: uploaded, w: waited for, of the programs that hold staged memory
	refuse bool   // uploads fail
}

func (d *beside) NewStaged(in, out int64) (kernels.Staged, error) {
	b, err := d.NewExchange(in, out)
	return &besideBuffer{Buffer: b, device: d, next: garbage(in)}, err
}

// garbage is what the host may find where it writes the inputs of the next run.
func garbage(bytes int64) []byte { return []byte(strings.Repeat("\x7f", int(bytes))) }

type besideBuffer struct {
	kernels.Buffer
	device  *beside
	next    []byte
	waiting []byte // uploaded
}

func (b *besideBuffer) Next() []byte { return b.next }

func (b *besideBuffer) Upload() error {
	if b.waiting != nil || b.device.refuse {
		return errors.New("no upload now")
	}
	b.device.log += "u"
	b.waiting, b.next = b.next, garbage(int64(len(b.next)))
	return nil
}

func (d *beside) NewProgram(calls []kernels.Call, segments []kernels.Buffer) (kernels.Program, error) {
	p := &besideProgram{device: d}
	own := append([]kernels.Buffer(nil), segments...)
	for i, s := range segments {
		if staged, ok := s.(*besideBuffer); ok {
			own[i], p.staged = staged.Buffer, staged
		}
	}
	var err error
	p.Program, err = d.Device.NewProgram(calls, own)
	return p, err
}

type besideProgram struct {
	kernels.Program
	device *beside
	staged *besideBuffer // nil for none
	begun  bool
}

func (p *besideProgram) Start() error {
	if p.begun {
		return errors.New("started twice")
	}
	p.begun = true
	if p.staged != nil {
		p.device.log += "s"
		if p.staged.waiting != nil {
			copy(p.staged.Bytes(), p.staged.waiting)
			p.staged.waiting = nil
		}
	}
	return nil
}

func (p *besideProgram) Wait() error {
	if p.staged != nil {
		p.device.log += "w"
	}
	p.begun = false
	return p.Run()
}

// handedOver are runs whose inputs a device may take ahead: one micro-batch a step and several, programs of one length and of several.
func handedOver(l lab) map[string]Settings {
	l.Helper()
	one := l.pretraining(l.prepare(data.LanguageModel), "one")
	one.Dropout = 0.1
	several := one
	several.TokensPerStep = 3 * several.Batch * several.Sequence
	classes := l.finetuning(l.prepare(data.Classify), "classes")
	classes.Steps, classes.Batch, classes.TokensPerStep, classes.ClassWeights = 30, 5, 2*5*classes.Sequence, "balanced"
	labels := l.finetuning(l.prepare(data.MultiLabel), "labels")
	labels.Steps, labels.Batch = 30, 5 // more than an epoch, whose last batch has rows without a document
	return map[string]Settings{"one": one, "several": several, "classes": classes, "labels": labels}
}

func (l lab) train(s Settings, out string) {
	l.Helper()
	s.Out = l.path(out)
	train := Finetune
	if strings.HasPrefix(out, "one") || strings.HasPrefix(out, "several") {
		train = Pretrain
	}
	l.result(train(l.Context(), s, l.env))
}

// TestHandsOverAhead: the same losses and weights, and the same place in the data, where the device takes inputs ahead; and it is given
// them between the start of the run before theirs and its end.
func TestHandsOverAhead(t *testing.T) {
	l := newLab(t)
	for name, s := range handedOver(l) {
		cpu := l.env.Device
		l.env.Device = struct{ kernels.Device }{cpu} // not a host's either, whose products give norms of their own
		l.train(s, name+"-cpu")
		d := &beside{Device: cpu}
		l.env.Device = d
		l.train(s, name+"-ahead")
		l.env.Device = cpu
		if got, want := l.weights(l.path(name+"-ahead")), l.weights(l.path(name+"-cpu")); !maps.Equal(got, want) {
			t.Errorf("%s: other weights where inputs are handed over ahead", name)
		}
		got, want := l.records(name+"-ahead", "train"), l.records(name+"-cpu", "train")
		for n := range want {
			if len(got) != len(want) || got[n].Loss != want[n].Loss {
				t.Errorf("%s: step %d: loss %v of %d, want %v of %d", name, n+1, got[n].Loss, len(got), want[n].Loss, len(want))
			}
		}
		if got, want := l.state(name+"-ahead").Position, l.state(name+"-cpu").Position; got != want {
			t.Errorf("%s: the checkpoint's position is %+v, want %+v", name, got, want)
		}
		passes := strings.Count(d.log, "s")
		// A run in which nothing is uploaded was followed by the first batch of its length.
		late := strings.Count(d.log, "sw")
		if strings.ReplaceAll(strings.ReplaceAll(d.log, "suw", ""), "sw", "") != "" || late > 2 || passes < s.Steps || strings.HasPrefix(name, "one") && late > 0 {
			t.Errorf("%s: the device was asked %s, want an upload within each run", name, d.log)
		}
	}
}

// TestResumeTrainsOnWhatWasUploaded: a batch that was uploaded and not trained on is trained on after the run was stopped there.
func TestResumeTrainsOnWhatWasUploaded(t *testing.T) {
	l := newLab(t)
	l.env.Device = &beside{Device: l.env.Device}
	for name, s := range handedOver(l) {
		if name == "labels" || name == "classes" {
			continue // as the others, but slower
		}
		l.train(s, name+"-whole")
		stopped := s
		stopped.Out = l.path(name + "-stopped")
		if r := l.result(Pretrain(untilLogged{t.Context(), filepath.Join(stopped.Out, "metrics.jsonl"), "4"}, stopped, l.env)); !r.Interrupted {
			t.Fatalf("%+v, want an interruption", r)
		}
		stopped.Resume = true
		l.result(Pretrain(t.Context(), stopped, l.env))
		if !maps.Equal(l.weights(stopped.Out), l.weights(l.path(name+"-whole"))) || l.state(name+"-stopped").Position != l.state(name+"-whole").Position {
			t.Errorf("%s: other weights, or another position, than of a run at once", name)
		}
	}
}

// TestUploadFails: the run ends with the device's error.
func TestUploadFails(t *testing.T) {
	l := newLab(t)
	l.env.Device = &beside{Device: l.env.Device, refuse: true}
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	if _, err := Pretrain(t.Context(), s, l.env); err == nil || !strings.Contains(err.Error(), "step 1: no upload now") {
		t.Errorf("%v, want the device's error", err)
	}
}

// TestRoomForInputsAhead: memory is counted for the three sides of inputs that are handed over ahead.
func TestRoomForInputsAhead(t *testing.T) {
	l := newLab(t)
	s := l.pretraining(l.prepare(data.LanguageModel), "run")
	var bytes [2]int64
	for n, d := range []kernels.Device{l.env.Device, &beside{Device: l.env.Device}} {
		r := &run{Settings: s, env: l.env}
		r.env.Device = d
		if err := errors.Join(r.openData(), openLanguage(r)); err != nil {
			t.Fatal(err)
		}
		need, err := r.need(r.store, s.Batch, s.Recompute)
		if err != nil || r.prepare() != nil {
			t.Fatal(err)
		}
		bytes[n] = need.Ends
		if grown := r.widest.Bytes() - need.Activations; n == 1 && grown != need.Ends {
			t.Errorf("a program takes %d bytes beside activations, want %d", grown, need.Ends)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}
	if inputs := int64(2 * 4 * s.Batch * s.Sequence); bytes[1] != bytes[0]+2*inputs {
		t.Errorf("%d bytes of inputs and outputs, and %d where inputs are handed over ahead, want %d more", bytes[0], bytes[1], 2*inputs)
	}
}

// state is what the newest checkpoint of a run says of it.
func (l lab) state(run string) (s state) {
	l.Helper()
	dir, _, err := checkpoint.Resolve(l.path(run), checkpoint.Newest)
	if err != nil {
		l.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err := errors.Join(err, json.Unmarshal(text, &s)); err != nil {
		l.Fatal(err)
	}
	return s
}
