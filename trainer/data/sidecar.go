package data

import (
	"encoding/binary"
	"fmt"
)

// The document and label tables beside the shards: a 32-byte header of little-endian fields (magic [8]byte, version
// uint32, width uint32, count uint64, extent uint64), then count entries.
//
//	ATOLLDOC  width 16, extent = tokens of the split; entry: start uint64, source uint32, row uint32
//	ATOLLLAB  width 4, extent = classes; entry: int32 class
//	ATOLLSET  width ceil(classes/8), extent = classes; entry: bit k%8 of byte k/8 is class k
const (
	documentMagic = "ATOLLDOC"
	labelMagic    = "ATOLLLAB"
	setMagic      = "ATOLLSET"
	tableVersion  = 1
	tableHeader   = 32
	documentWidth = 16
)

// documentEntry is one document of a split.
type documentEntry struct {
	start  uint64 // of its end-of-text token in the split's token stream
	source uint32 // index in Manifest.Sources
	row    uint32 // line of the source or, in a folder, number of the file, from 1
}

func tableHead(magic string, width, count, extent int) []byte {
	head := append([]byte(nil), magic...)
	head = binary.LittleEndian.AppendUint32(head, tableVersion)
	head = binary.LittleEndian.AppendUint32(head, uint32(width))
	head = binary.LittleEndian.AppendUint64(head, uint64(count))
	return binary.LittleEndian.AppendUint64(head, uint64(extent))
}

// parseTable checks a table's header and size and gives its entries. want is what the manifest promises.
func parseTable(name string, b []byte, magic string, width, count int, extent int64) ([]byte, error) {
	if len(b) < tableHeader {
		return nil, fmt.Errorf("%s: %d bytes, want at least %d: the file is cut off, run atoll prepare again", name, len(b), tableHeader)
	}
	if string(b[:8]) != magic {
		return nil, fmt.Errorf("%s: begins with %q, want %q", name, b[:8], magic)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != tableVersion {
		return nil, fmt.Errorf("%s: version %d is unknown, want %d", name, v, tableVersion)
	}
	found := [3]uint64{uint64(binary.LittleEndian.Uint32(b[12:])), binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])}
	wanted := [3]uint64{uint64(width), uint64(count), uint64(extent)}
	if found != wanted {
		return nil, fmt.Errorf("%s: entry width, entries and extent are %d, but %s promises %d: the files do not belong together",
			name, found, manifestName, wanted)
	}
	// The count is held against the bytes there are first, so that no damaged count overflows or allocates.
	if size := tableHeader + width*min(count, len(b)); len(b) != size {
		return nil, fmt.Errorf("%s: %d bytes, want %d for each of %d entries and %d: the file is cut off or damaged, run atoll prepare again",
			name, len(b), width, count, tableHeader)
	}
	return b[tableHeader:], nil
}

func encodeDocuments(entries []documentEntry, tokens int64) []byte {
	b := tableHead(documentMagic, documentWidth, len(entries), int(tokens))
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint64(b, e.start)
		b = binary.LittleEndian.AppendUint32(b, e.source)
		b = binary.LittleEndian.AppendUint32(b, e.row)
	}
	return b
}

// parseDocuments reads a document table; starts ascend strictly from 0 and lie below tokens.
func parseDocuments(name string, b []byte, count int, tokens int64) ([]documentEntry, error) {
	b, err := parseTable(name, b, documentMagic, documentWidth, count, tokens)
	if err != nil {
		return nil, err
	}
	entries := make([]documentEntry, count)
	for i := range entries {
		e := &entries[i]
		e.start = binary.LittleEndian.Uint64(b[i*documentWidth:])
		e.source = binary.LittleEndian.Uint32(b[i*documentWidth+8:])
		e.row = binary.LittleEndian.Uint32(b[i*documentWidth+12:])
		if i == 0 && e.start != 0 || i > 0 && e.start <= entries[i-1].start || e.start >= uint64(tokens) {
			return nil, fmt.Errorf("%s: document %d begins at token %d, want it behind document %d and below %d: the file is damaged",
				name, i, e.start, i-1, tokens)
		}
	}
	return entries, nil
}

func encodeLabels(labels []int32, classes int) []byte {
	b := tableHead(labelMagic, 4, len(labels), classes)
	for _, label := range labels {
		b = binary.LittleEndian.AppendUint32(b, uint32(label))
	}
	return b
}

func parseLabels(name string, b []byte, count, classes int) ([]int32, error) {
	b, err := parseTable(name, b, labelMagic, 4, count, int64(classes))
	if err != nil {
		return nil, err
	}
	labels := make([]int32, count)
	for i := range labels {
		labels[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		if labels[i] < 0 || int(labels[i]) >= classes {
			return nil, fmt.Errorf("%s: document %d has class %d, want 0 to %d: the file is damaged", name, i, labels[i], classes-1)
		}
	}
	return labels, nil
}

func setWidth(classes int) int { return (classes + 7) / 8 }

func encodeSets(sets []byte, classes int) []byte {
	width := setWidth(classes)
	return append(tableHead(setMagic, width, len(sets)/width, classes), sets...)
}

// parseSets gives the bits of all documents, setWidth bytes each.
func parseSets(name string, b []byte, count, classes int) ([]byte, error) {
	width := setWidth(classes)
	b, err := parseTable(name, b, setMagic, width, count, int64(classes))
	if err != nil {
		return nil, err
	}
	if rest := classes % 8; rest != 0 {
		for i := range count {
			if b[i*width+width-1]>>rest != 0 {
				return nil, fmt.Errorf("%s: document %d has a class above %d: the file is damaged", name, i, classes-1)
			}
		}
	}
	return b, nil
}
