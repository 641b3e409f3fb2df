package data

import "fmt"

const stateVersion = 1

// State is a loader's position: Next and Epoch name the batch that Next gives next. It is kept in a checkpoint as JSON.
type State struct {
	Version int    `json:"version"`
	Kind    string `json:"kind"`  // "tokens" or "documents"
	Data    string `json:"data"`  // Dataset.Identity
	Split   string `json:"split"` // "train", "valid" or "test"
	Seed    uint64 `json:"seed"`
	B       int    `json:"batch"`    // rows of a batch
	T       int    `json:"sequence"` // tokens of a row
	InOrder bool   `json:"in_order"`
	Epoch   int    `json:"epoch"`
	Next    int64  `json:"next"`    // batch within the epoch
	Batches int64  `json:"batches"` // consumed since the start
	Targets int64  `json:"targets"` // of a token loader: targets consumed; of a document loader: documents
}

// LoaderOptions are the settings of a loader.
type LoaderOptions struct {
	B        int    // rows of a batch, at least 1
	T        int    // most tokens of a row, at least 1
	Seed     uint64 // of the order; unused with InOrder
	InOrder  bool   // one epoch in the order of the split, then io.EOF: for evaluation. Otherwise shuffled without end
	Prefetch int    // batches made ahead by a goroutine; 0 is 2
}

func (o LoaderOptions) withDefaults() (LoaderOptions, error) {
	if o.B < 1 || o.T < 1 || o.B > 1<<20 || o.T > 1<<24 {
		return o, fmt.Errorf("batch %d of sequences of %d tokens, want batch 1 to %d and sequence 1 to %d", o.B, o.T, 1<<20, 1<<24)
	}
	if o.Prefetch <= 0 {
		o.Prefetch = 2
	}
	return o, nil
}

// newState is the position at the start.
func newState(kind string, s *Split, o LoaderOptions) State {
	return State{Version: stateVersion, Kind: kind, Data: s.set.identity, Split: s.Name(), Seed: o.Seed, B: o.B, T: o.T, InOrder: o.InOrder}
}

// restorable checks that to names a position of the loader that stands at from, which has batches an epoch.
func restorable(from, to State, batches int64) error {
	wrong := func(what string, got, want any) error {
		return fmt.Errorf("saved data position has %s %v, but this loader has %v: resume with the data and settings it was saved with",
			what, got, want)
	}
	switch {
	case to.Version != stateVersion:
		return fmt.Errorf("saved data position has version %d, want %d: resume with the atoll that saved it", to.Version, stateVersion)
	case to.Kind != from.Kind:
		return wrong("kind", to.Kind, from.Kind)
	case to.Data != from.Data:
		return wrong("data set", short(to.Data), short(from.Data))
	case to.Split != from.Split:
		return wrong("split", to.Split, from.Split)
	case to.B != from.B:
		return wrong("batch", to.B, from.B)
	case to.T != from.T:
		return wrong("sequence length", to.T, from.T)
	case to.Seed != from.Seed:
		return wrong("seed", to.Seed, from.Seed)
	case to.InOrder != from.InOrder:
		return wrong("in-order", to.InOrder, from.InOrder)
	case to.Epoch < 0 || to.Next < 0 || to.Next >= batches && !to.InOrder || to.Next > batches || to.InOrder && to.Epoch > 0:
		return fmt.Errorf("saved data position is batch %d of epoch %d, want a batch below %d: the state is damaged", to.Next, to.Epoch, batches)
	}
	return nil
}

func short(sum string) string { return fmt.Sprintf("%.12s", sum) }

// advance moves to the next batch of batches an epoch.
func (s *State) advance(batches int64) {
	s.Next++
	if s.Next == batches && !s.InOrder {
		s.Epoch++
		s.Next = 0
	}
}
