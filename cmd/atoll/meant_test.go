package main

import (
	"strings"
	"testing"
)

// A word that is almost a flag or a command is answered with it, and one that is far from all with none.
func TestMeant(t *testing.T) {
	for line, want := range map[string]string{
		"pretrain --stepz 1":         "--stepz (did you mean --steps?);",
		"prepare --label-column x":   "--label-column (did you mean --label?);",
		"pretrain --lrate 3":         "--lrate (did you mean --lr?);",
		"pretrain --output x":        "--output (did you mean --out?);",
		"pretrain --learning_rate 3": "--learning_rate (did you mean --lr?);",
		"pretrain --block-size 3":    "--block-size (did you mean --seq?);",
		"serve --port 80":            "--port (did you mean --listen?);",
		"prepare --learning-rate 3":  "--learning-rate;",
		"pretrain --qwertz":          "--qwertz;",
		"pretrain --x":               "--x;",
		"pretrain -q":                "in -q;",
		"clasify":                    `"clasify" (did you mean classify?):`,
		"inspect modle":              `"modle" (did you mean model?):`,
		"xyzzy":                      `"xyzzy":`,
	} {
		code, _, errs := command(t, "", strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("atoll %s: exit %d, %q; want exit %d and %s", line, code, errs, exitUsage, want)
		}
	}
}
