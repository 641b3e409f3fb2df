package main

import (
	"github.com/spf13/cobra"

	"atoll/trainer"
)

func newFinetune(s streams) *cobra.Command {
	settings, device, asJSON := trainer.FinetuneDefaults(), deviceFlags{}, false
	c := &cobra.Command{
		Use:     "finetune --data DATA --from MODEL --out RUN",
		Short:   "Turn a language model into a classifier on labelled text",
		Example: "  atoll finetune --data sms --from runs/sms-lm --out runs/sms --epochs 4 --lr 3e-4",
		Args:    exactly(0, "flags only"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := complete(c.Flags(), &settings); err != nil {
				return err
			}
			if settings.From == "" && settings.Model == "" {
				return usage("finetune: nothing to start from: give --from MODEL, or --model NAME for new weights")
			}
			return train(c, s, &settings, &device, asJSON, trainer.Finetune)
		},
	}
	f := c.Flags()
	trainFlags(f, &settings)
	f.StringVar(&settings.Method, "method", settings.Method, "what is trained: full, last (the last block and the head) or head")
	f.StringVar(&settings.ClassWeights, "class-weights", settings.ClassWeights, "none, balanced, or a JSON file of label to weight")
	f.IntVar(&settings.Patience, "patience", settings.Patience, "stop after this many evaluations without a better score; 0: never")
	device.add(f)
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	withConfig(c)
	return c
}
