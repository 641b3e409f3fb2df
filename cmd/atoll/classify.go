package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"atoll/model/predict"
)

// classifyFlags are the settings of atoll classify.
type classifyFlags struct {
	inputFlags
	model     string
	threshold float64
	device    deviceFlags
	asJSON    bool
}

func newClassify(s streams) *cobra.Command {
	f := &classifyFlags{}
	c := &cobra.Command{
		Use:   "classify --model MODEL [FILE|-]",
		Short: "Label texts with a classifier",
		Long: "Reads texts from a file or standard input: one a line, or CSV, TSV or JSON lines, gzip and zstd too. Writes one JSON object\n" +
			`a text, in order: {"text":...,"label":...,"score":...,"scores":{...}}; with several labels a text "labels":[...] are those` + "\n" +
			`whose score reaches --threshold. "truncated":true marks a text longer than the model reads: its beginning was scored.` + "\n" +
			"The whole input is never held: any length of it is read in bounded memory. Lines end in LF or CRLF.",
		Example: "  atoll classify --model runs/sms messages.txt > labels.jsonl\n" +
			"  atoll classify --model runs/sms --text body --on-bad-row skip mails.csv.gz\n" +
			"  echo 'You have won a prize, call now' | atoll classify --model runs/sms",
		Args: oneInput,
		RunE: func(c *cobra.Command, args []string) error { return classify(c.Context(), s, f, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.model, "model", "", "run, checkpoint or Hugging Face GPT-2 directory with a classification head (required)")
	f.inputFlags.add(flags)
	flags.Float64Var(&f.threshold, "threshold", 0.5, "with several labels a text: the least score of a label that is given")
	f.device.answers = true
	f.device.add(flags)
	flags.BoolVar(&f.asJSON, "json", true, "results are JSON lines: --json=false is refused")
	withConfig(c)
	return c
}

func classify(ctx context.Context, s streams, f *classifyFlags, args []string) error {
	if !f.asJSON {
		return usage("classify: --json=false: results are JSON lines only; jq -r .label takes the labels out of them")
	}
	if !(f.threshold >= 0 && f.threshold <= 1) {
		return usage("--threshold %g: want a number from 0 to 1", f.threshold)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m, err := loadModel(s, f.model, &f.device)
	if err != nil {
		return err
	}
	defer m.close()
	if len(m.Labels()) == 0 {
		return fmt.Errorf("%s is a language model without labels: fine-tune it first (atoll finetune --from %s)", m.Dir, f.model)
	}
	in, err := openInput(ctx, s, args, &f.inputFlags)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.out)
	line := countLine{out: s.err, unit: "documents", hidden: isTerminal(s.out)}
	line.start()
	defer line.close()
	writer := newPredictionWriter(m.Config, float32(f.threshold))
	done, bad := 0, 0
	err = in.each(ctx, func(c *chunk) error {
		if err := classifyChunk(ctx, m.Model, c, writer, out); err != nil {
			return err
		}
		done += len(c.texts)
		bad += c.badRows()
		line.update(done, c.read, in.total)
		return out.Flush()
	})
	line.close()
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	case done == 0:
		fmt.Fprintln(s.err, "atoll: warning: the input is empty: nothing was classified")
	case bad > 0:
		fmt.Fprintf(s.err, "atoll: warning: %d of %d rows are bad: see the lines with \"error\"\n", bad, done)
	}
	return nil
}

// classifyChunk writes a line for every row of c; bad rows are left out of the batch and stay in their places.
func classifyChunk(ctx context.Context, m *predict.Model, c *chunk, w *predictionWriter, out *bufio.Writer) error {
	good := make([]string, 0, len(c.texts))
	for i, text := range c.texts {
		if c.bad[i] == nil {
			good = append(good, text)
		}
	}
	predictions, err := m.Classify(ctx, good)
	if err != nil {
		return err
	}
	for i, text := range c.texts {
		if c.bad[i] != nil {
			err = w.writeBad(out, c.bad[i])
		} else {
			err = w.write(out, text, predictions[0])
			predictions = predictions[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}
