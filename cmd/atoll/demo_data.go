package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// smsMessages is the SMS Spam Collection (Almeida and Hidalgo 2011, UCI Machine Learning Repository, CC BY 4.0), compressed.
//
//go:embed demo/sms.tsv.zst
var smsMessages []byte

//go:embed demo/ATTRIBUTION.txt
var smsAttribution []byte

const (
	dataFile        = "sms.tsv"
	attributionFile = "ATTRIBUTION.txt"
	examplesFile    = "examples.txt"
)

// demoExamples are messages to classify: all but the last are of the held-out tenth, and the last is ours.
var demoExamples = []struct{ label, text string }{
	{"ham", "I've got ten bucks, jay is being noncomittal"},
	{"ham", "Good morning, im suffering from fever and dysentry ..will not be able to come to office today."},
	{"ham", "WHEN THE FIRST STRIKE IS A RED ONE. THE BIRD + ANTELOPE BEGIN TOPLAY IN THE FIELDOF SELFINDEPENDENCE BELIEVE THIS + THE FLOWER OF CONTENTION WILL GROW.RANDOM!"},
	{"spam", "You have WON a guaranteed £1000 cash or a £2000 prize. To claim yr prize call our customer service representative on 08714712394 between 10am-7pm"},
	{"spam", "Todays Voda numbers ending with 7634 are selected to receive a £350 reward. If you have a match please call 08712300220 quoting claim code 7684 standard rates apply."},
	{"spam", "Your parcel is waiting. Pay the fee of £1.99 within 24 hours: text PARCEL to 80606"},
}

// demoAnswer is an example with what the classifier says.
type demoAnswer struct {
	Text  string  `json:"text"`
	True  string  `json:"true"`
	Label string  `json:"label"`
	Score float32 `json:"score"`
}

// writeData writes the messages and where they are from.
func (d *demo) writeData() error {
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer decoder.Close()
	messages, err := decoder.DecodeAll(smsMessages, nil)
	if err != nil {
		return fmt.Errorf("demo: the built-in data is damaged: %w: get the program again", err)
	}
	if d.settings.messages > 0 {
		messages = bytes.Join(bytes.SplitAfter(messages, []byte("\n"))[:d.settings.messages], nil)
	}
	return errors.Join(os.WriteFile(d.path(attributionFile), smsAttribution, 0o644), os.WriteFile(d.path(dataFile), messages, 0o644))
}

// writeExamples writes the examples as a user's file, a message a line.
func (d *demo) writeExamples() error {
	var lines bytes.Buffer
	for _, e := range demoExamples {
		fmt.Fprintln(&lines, e.text)
	}
	return os.WriteFile(d.path(examplesFile), lines.Bytes(), 0o644)
}

// classify runs the classifier over the examples and shows its answers beside the truth.
func (d *demo) classify(ctx context.Context) error {
	if err := d.writeExamples(); err != nil {
		return err
	}
	p := plannedStep{"Classify: messages of the held-out tenth, and at the end one of our own (the command writes JSON lines; here they are a table).",
		concat([]string{"classify", "--model", d.path("classifier"), d.path(examplesFile)}, d.common)}
	d.announce(p)
	var lines bytes.Buffer
	if err := d.command(ctx, p.arguments, &lines); err != nil {
		return err
	}
	decoder := json.NewDecoder(&lines)
	for _, e := range demoExamples {
		answer := demoAnswer{True: e.label}
		if err := decoder.Decode(&answer); err != nil {
			return fmt.Errorf("demo: %s: %w: want a JSON line for each of %d messages", commandLine(p.arguments), err, len(demoExamples))
		}
		d.result.Examples = append(d.result.Examples, answer)
	}
	if d.asJSON {
		return nil
	}
	return d.printExamples()
}

func (d *demo) printExamples() error {
	for _, a := range d.result.Examples {
		verdict := a.Label
		if a.Label != a.True {
			verdict += ", wrong"
		}
		if _, err := fmt.Fprintf(d.streams.out, "%-11s  %.3f  %s\n", verdict, a.Score, shorten(a.Text, 90)); err != nil {
			return err
		}
	}
	return nil
}

// shorten cuts a text to n characters.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
