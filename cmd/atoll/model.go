package main

import (
	"fmt"

	"atoll/model/predict"
)

// loadedModel is a model with the device that it is on.
type loadedModel struct {
	*predict.Model
	device processor
}

// loadModel opens the device and reads the model there. What reading passed over is printed as warnings.
func loadModel(s streams, path string, f *deviceFlags) (*loadedModel, error) {
	if path == "" {
		return nil, usage("no model given: want --model MODEL, a run, a checkpoint or a Hugging Face GPT-2 directory")
	}
	device, precision, packing, err := f.openToAnswer(s.err)
	if err != nil {
		return nil, err
	}
	m, err := predict.Load(path, device, predict.Options{Precision: precision, Packing: packing, Mapped: true})
	if err != nil {
		device.Close()
		return nil, err
	}
	for _, w := range m.Warnings {
		fmt.Fprintf(s.err, "atoll: warning: %s\n", w)
	}
	return &loadedModel{m, device}, nil
}

func (m *loadedModel) close() {
	m.Close()
	m.device.Close()
}
