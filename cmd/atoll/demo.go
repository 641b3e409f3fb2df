package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"atoll/trainer"
)

// demoSettings say how long and how large the demo is; its test gives smaller ones.
type demoSettings struct {
	messages   int      // of the built-in ones, the first; 0: all
	vocabulary int      // of the tokenizer
	pretrain   []string // flags beside data and output
	finetune   []string
}

// shownDemo was chosen on the validation rows alone. Of 4096 and 1024 tokens the former gave the better language model by
// the byte and, fine-tuned, the better classifier; 5e-4 beat 1e-3 after the first epoch, and two epochs are nearly enough.
func shownDemo() demoSettings {
	return demoSettings{
		vocabulary: 4096,
		pretrain:   strings.Fields("--model mini --epochs 6 --seq 96 --batch 8 --lr 1.5e-3 --beta2 0.99 --warmup 40 --eval-every 147 --sample-tokens 40"),
		finetune:   strings.Fields("--epochs 4 --seq 256 --batch 16 --lr 5e-4 --warmup 40"),
	}
}

// demo is the whole path under way.
type demo struct {
	streams   streams
	settings  demoSettings
	out       string
	data      string
	overwrite bool
	seed      uint64
	asJSON    bool
	device    deviceFlags
	common    []string // flags of every command that computes

	result demoResult
}

// demoResult is what --json prints.
type demoResult struct {
	Out      string       `json:"out"`
	Steps    []demoStep   `json:"steps"`
	Accuracy float64      `json:"accuracy"` // on the held-out tenth
	Baseline float64      `json:"baseline_accuracy"`
	Examples []demoAnswer `json:"examples"`
	Report   string       `json:"report"`
	Seconds  float64      `json:"seconds"`
}

// demoStep is a command of the path and what it answered.
type demoStep struct {
	Command string          `json:"command"`
	Seconds float64         `json:"seconds"`
	Result  json.RawMessage `json:"result"`
}

func newDemo(s streams) *cobra.Command { return demoCommand(s, shownDemo()) }

func demoCommand(s streams, settings demoSettings) *cobra.Command {
	d := &demo{streams: s, settings: settings}
	c := &cobra.Command{
		Use:   "demo",
		Short: "See the whole path on built-in data: prepare, pretrain, fine-tune, evaluate, classify",
		Long: "Trains a spam filter for text messages from nothing, in about two minutes on two cores: it writes 5,574 messages to a folder,\n" +
			"prepares them, pretrains a small GPT-2 on the training messages, fine-tunes it, and scores it on messages it has not seen.\n" +
			"Each step is shown as the command that does it.",
		Example: "  atoll demo\n  atoll demo --out /tmp/demo --threads 2",
		Args:    exactly(0, "flags only"),
		RunE:    func(c *cobra.Command, _ []string) error { return d.run(c.Context(), c.Flags()) },
	}
	f := c.Flags()
	f.StringVar(&d.out, "out", "atoll-demo", "folder to write")
	f.StringVar(&d.data, "data", "sms", "built-in data: sms (the SMS Spam Collection)")
	f.Uint64Var(&d.seed, "seed", 1, "of weights, order and dropout")
	d.device.add(f)
	d.device.precision, f.Lookup("precision").DefValue = "fp32", "fp32"
	f.BoolVar(&d.overwrite, "overwrite", false, "replace an earlier demo in --out")
	f.BoolVar(&d.asJSON, "json", false, "print commands, results and scores as JSON")
	withConfig(c)
	return c
}

func (d *demo) run(ctx context.Context, flags *pflag.FlagSet) error {
	if d.data != "sms" {
		return usage("demo: --data %s, want sms: it is the one that is built in", d.data)
	}
	begun := time.Now()
	d.common = d.commonFlags(flags)
	d.result.Out, d.result.Report = d.out, d.path("report.html")
	if err := d.openFolder(); err != nil {
		return err
	}
	if err := d.writeData(); err != nil {
		return err
	}
	for _, step := range d.steps() {
		if err := d.step(ctx, step); err != nil {
			return err
		}
	}
	if err := d.classify(ctx); err != nil {
		return err
	}
	d.result.Seconds = time.Since(begun).Seconds()
	return d.conclude()
}

func (d *demo) path(name string) string { return filepath.Join(d.out, name) }

// commonFlags are those that every computing step is given: the ones the user changed, and the precision, which the demo's
// results were measured in.
func (d *demo) commonFlags(flags *pflag.FlagSet) []string {
	common := []string{"--precision", d.device.precision}
	for _, name := range []string{"device", "threads", "cpu-variant"} {
		if flag := flags.Lookup(name); flag.Changed {
			common = append(common, "--"+name, flag.Value.String())
		}
	}
	return common
}

// openFolder makes the folder, or refuses one that holds something else than a demo.
func (d *demo) openFolder() error {
	entries, err := os.ReadDir(d.out)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return os.MkdirAll(d.out, 0o755)
	case err != nil:
		return fmt.Errorf("demo: %w: give another --out", err)
	case !d.overwrite:
		return fmt.Errorf("demo: %s exists: pass --overwrite to replace an earlier demo, or give another --out", d.out)
	case !fileExists(d.path(attributionFile)):
		return fmt.Errorf("demo: %s has no %s, so it is no earlier demo and --overwrite leaves it alone: give another --out", d.out, attributionFile)
	}
	return nil
}

// plannedStep is a command with the sentence that explains it.
type plannedStep struct {
	explanation string
	arguments   []string
}

func (d *demo) steps() []plannedStep {
	data, language, classifier := d.path("data"), d.path("language-model"), d.path("classifier")
	seed := []string{"--seed", strconv.FormatUint(d.seed, 10)}
	steps := []plannedStep{
		{"Prepare: train a tokenizer, split the messages (every tenth is held out for the end, every tenth before it validates), write token shards.",
			[]string{"prepare", "--input", d.path(dataFile), "--task", "classify", "--text", "1", "--label", "0", "--split", "every-tenth",
				"--tokenizer", "train", "--vocab", strconv.Itoa(d.settings.vocabulary), "--out", data}},
		{"Pretrain: a small GPT-2 learns to predict the next token of the training messages, without their labels.",
			concat([]string{"pretrain", "--data", data, "--out", language}, d.settings.pretrain, seed, d.common)},
		{"Fine-tune: the same network learns to tell ham from spam; the weights with the best validation accuracy are kept.",
			concat([]string{"finetune", "--data", data, "--from", language, "--out", classifier}, d.settings.finetune, seed, d.common)},
		{"Evaluate: the held-out tenth, which nothing above has seen, beside an n-gram classifier fitted on the same training messages.",
			concat([]string{"evaluate", "--model", classifier, "--data", data, "--split", "test", "--report", d.result.Report}, d.common)},
	}
	if d.overwrite {
		for n := range steps {
			steps[n].arguments = append(steps[n].arguments, "--overwrite")
		}
	}
	return steps
}

func concat(lists ...[]string) (all []string) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// step runs a command of atoll as a user would.
func (d *demo) step(ctx context.Context, p plannedStep) error {
	command := commandLine(p.arguments)
	d.announce(p.explanation, command)
	begun := time.Now()
	var answer bytes.Buffer
	inner := d.streams
	arguments := p.arguments
	if d.asJSON {
		inner.out = &answer
		arguments = append(arguments[:len(arguments):len(arguments)], "--json")
	}
	root := newRoot(inner)
	root.SetArgs(arguments)
	if err := root.ExecuteContext(ctx); err != nil {
		if errors.Is(err, errInterrupted) {
			return err
		}
		return fmt.Errorf("demo: %s: %w", command, err)
	}
	d.result.Steps = append(d.result.Steps, demoStep{command, time.Since(begun).Seconds(), answer.Bytes()})
	if d.asJSON && p.arguments[0] == "evaluate" {
		return d.readScores(answer.Bytes())
	}
	return nil
}

// readScores takes what --json shows on top from the answer of evaluate.
func (d *demo) readScores(answer []byte) error {
	var e trainer.Evaluation
	if err := json.Unmarshal(answer, &e); err != nil {
		return err
	}
	d.result.Accuracy, d.result.Baseline = e.Classification.Accuracy, e.Baseline.Classification.Accuracy
	return nil
}

// announce shows what comes next; with --json it is part of the progress.
func (d *demo) announce(explanation, command string) {
	out := d.streams.out
	if d.asJSON {
		out = d.streams.err
	}
	fmt.Fprintf(out, "\n%s\n$ %s\n", explanation, command)
}

func (d *demo) conclude() error {
	if d.asJSON {
		return writeJSON(d.streams.out, d.result)
	}
	_, err := fmt.Fprintf(d.streams.out, "\nDone in %.0f s. The report, with curves, scores and mistakes:\n  %s\nTo classify messages of your own:\n  echo 'Are you free tonight?' | atoll classify --model %s\n",
		d.result.Seconds, d.result.Report, d.path("classifier"))
	return err
}

// commandLine is how a user types a command.
func commandLine(arguments []string) string {
	line := "atoll"
	for _, a := range arguments {
		if strings.ContainsAny(a, " \t\n'\"\\$&;|<>()*?!`~#") || a == "" {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		line += " " + a
	}
	return line
}
