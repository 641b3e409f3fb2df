package data

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxLabels bounds the classes of a data set: more means that the wrong column was named.
const maxLabels = 10000

// labelTable numbers labels, and sets of labels, in the order met; order then gives the final ids.
type labelTable struct {
	names  []string
	ids    map[string]int32
	closed bool // the classes were given: no new ones

	sets   [][]int32 // of label ids, ascending
	setIDs map[string]int32
	key    []byte
	set    []int32
}

func newLabelTable(given []string) *labelTable {
	t := &labelTable{ids: make(map[string]int32), setIDs: make(map[string]int32)}
	for _, name := range given {
		t.add(name)
	}
	t.closed = len(given) > 0
	return t
}

func (t *labelTable) add(name string) int32 {
	id := int32(len(t.names))
	t.names = append(t.names, name)
	t.ids[name] = id
	return id
}

// setOf gives the number of the set of labels of a document.
func (t *labelTable) setOf(doc *document, path string) (int32, error) {
	t.set = t.set[:0]
	for _, label := range doc.labels {
		id, ok := t.ids[string(label)]
		if !ok && t.closed {
			return 0, &BadRow{path, doc.line, UnknownLabel, fmt.Sprintf(
				"label %.60q is not one of the %d classes given: mend it, or add it to the list", label, len(t.names))}
		}
		if !ok && len(t.names) == maxLabels {
			return 0, fmt.Errorf("%s:%d: more than %d different labels: is the label column the right one?", path, doc.line, maxLabels)
		}
		if !ok {
			id = t.add(string(label))
		}
		t.set = append(t.set, id)
	}
	slices.Sort(t.set)
	t.set = slices.Compact(t.set)
	t.key = t.key[:0]
	for _, id := range t.set {
		t.key = binary.LittleEndian.AppendUint32(t.key, uint32(id))
	}
	set, ok := t.setIDs[string(t.key)]
	if !ok {
		set = int32(len(t.sets))
		t.sets = append(t.sets, slices.Clone(t.set))
		t.setIDs[string(t.key)] = set
	}
	return set, nil
}

// order renumbers the labels: as given, else integers by value where all are integers, else by bytes.
func (t *labelTable) order() {
	if t.closed {
		return
	}
	names := slices.Clone(t.names)
	slices.SortFunc(names, labelOrder(names))
	rank := make([]int32, len(names))
	for i, name := range names {
		rank[t.ids[name]] = int32(i)
	}
	t.names = names
	t.ids, t.setIDs = nil, nil // no label is looked up after this
	for _, set := range t.sets {
		for i, id := range set {
			set[i] = rank[id]
		}
		slices.Sort(set)
	}
}

func labelOrder(names []string) func(a, b string) int {
	values := make(map[string]int64, len(names))
	for _, name := range names {
		v, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return strings.Compare
		}
		values[name] = v
	}
	return func(a, b string) int {
		if values[a] != values[b] {
			if values[a] < values[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b) // "1" and "01"
	}
}

// forget removes labels without training rows unless the classes were given. Sets that name a removed label must not be
// used any more.
func (t *labelTable) forget(training []int64) {
	if t.closed {
		return
	}
	renumbered := make([]int32, len(t.names))
	var names []string
	for id, name := range t.names {
		renumbered[id] = int32(len(names))
		if training[id] > 0 {
			names = append(names, name)
		}
	}
	if len(names) == len(t.names) {
		return
	}
	t.names = names
	for i, set := range t.sets {
		for j, id := range set {
			if training[id] == 0 {
				t.sets[i] = nil
				break
			}
			set[j] = renumbered[id]
		}
	}
}
