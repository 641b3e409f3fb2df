package metric

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// readFrames takes a TFRecord file apart and checks its checksums, written anew
// from the format's description (tensorflow record_writer.h).
func readFrames(t *testing.T, content []byte) (messages [][]byte) {
	t.Helper()
	unmask := func(masked uint32) uint32 {
		rotated := masked - 0xa282ead8
		return rotated>>17 | rotated<<15
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for len(content) > 0 {
		length := binary.LittleEndian.Uint64(content)
		if unmask(binary.LittleEndian.Uint32(content[8:])) != crc32.Checksum(content[:8], castagnoli) {
			t.Fatal("wrong checksum of a length")
		}
		message := content[12 : 12+length]
		if unmask(binary.LittleEndian.Uint32(content[12+length:])) != crc32.Checksum(message, castagnoli) {
			t.Fatal("wrong checksum of a message")
		}
		messages = append(messages, message)
		content = content[16+length:]
	}
	return messages
}

// fields parses one level of a protobuf message: field number to raw value.
func fields(t *testing.T, message []byte) map[protowire.Number][]byte {
	t.Helper()
	found := map[protowire.Number][]byte{}
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		n = protowire.ConsumeFieldValue(number, kind, message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		value := message[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message)
		}
		found[number] = value
		message = message[n:]
	}
	return found
}

func varint(b []byte) uint64 {
	v, _ := protowire.ConsumeVarint(b)
	return v
}

func TestEventsFile(t *testing.T) {
	folder := t.TempDir()
	events, err := CreateEvents(folder, 40)
	if err != nil {
		t.Fatal(err)
	}
	events.now = func() time.Time { return time.Unix(1700000000, 5e8) }
	r := Record{Step: 300, Split: "valid", Loss: 1.5, GradNorm: Number(math.NaN()), Accuracy: new(Number(0.75))}
	if err := events.Record(r); err != nil {
		t.Fatal(err)
	}
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(folder + "/events.out.tfevents.*")
	if len(names) != 1 {
		t.Fatalf("files %v, want one event file", names)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	messages := readFrames(t, content)
	if got := string(fields(t, messages[0])[3]); got != "brain.Event:2" {
		t.Errorf("file version %q", got)
	}
	start := fields(t, messages[1])
	if varint(start[2]) != 41 || varint(fields(t, start[7])[1]) != 1 {
		t.Errorf("second event %v, want a session start at step 41", start)
	}
	want := []scalar{{"valid/loss", 1.5}, {"valid/learning_rate", 0}, {"valid/tokens_per_second", 0}, {"valid/accuracy", 0.75}}
	if len(messages) != 2+len(want) {
		t.Fatalf("%d events, want %d", len(messages), 2+len(want))
	}
	for i, w := range want {
		event := fields(t, messages[2+i])
		value := fields(t, fields(t, event[5])[1])
		got := scalar{string(value[1]), float64(math.Float32frombits(binary.LittleEndian.Uint32(value[2])))}
		seconds := math.Float64frombits(binary.LittleEndian.Uint64(event[1]))
		if got != w || varint(event[2]) != 300 || seconds != 1700000000.5 {
			t.Errorf("event %v at step %d, %f s, want %v at 300, 1700000000.5", got, varint(event[2]), seconds, w)
		}
	}
}
