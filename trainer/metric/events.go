package metric

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of tensorboard's event.proto, summary.proto.
const (
	eventWallTime    = 1 // double, seconds since 1970
	eventStep        = 2 // int64
	eventFileVersion = 3 // string, first record only
	eventSummary     = 5 // Summary
	eventSessionLog  = 7 // SessionLog

	summaryValue  = 1 // Summary.Value, repeated
	valueTag      = 1 // string
	valueSimple   = 2 // float
	sessionStatus = 1 // enum
	sessionStart  = 1 // SessionLog.START
)

// Events writes a TensorBoard event file of scalars: TFRecord frames, each
// holding one Event message.
type Events struct {
	file *os.File
	now  func() time.Time
}

// CreateEvents makes a new event file in folder, which must exist. A resumed
// run gives the step it goes on after: TensorBoard then drops what earlier files
// of the folder hold of later steps. A fresh run gives 0.
func CreateEvents(folder string, resumed int64) (*Events, error) {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	now := time.Now()
	// TensorBoard orders files by name, so the time comes first; the process
	// number keeps two runs of the same second apart.
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.atoll", now.Unix(), host, os.Getpid())
	file, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create event file: %w", err)
	}
	e := &Events{file: file, now: time.Now}
	if err := e.begin(resumed); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return e, nil
}

func (e *Events) begin(resumed int64) error {
	version := e.event(0)
	version = protowire.AppendTag(version, eventFileVersion, protowire.BytesType)
	version = protowire.AppendString(version, "brain.Event:2")
	if err := e.write(version); err != nil || resumed == 0 {
		return err
	}
	session := protowire.AppendTag(nil, sessionStatus, protowire.VarintType)
	session = protowire.AppendVarint(session, sessionStart)
	start := e.event(resumed + 1)
	start = protowire.AppendTag(start, eventSessionLog, protowire.BytesType)
	return e.write(protowire.AppendBytes(start, session))
}

// Scalar writes one value of the series tag at step. Values that are not finite
// are written as they are; TensorBoard marks them.
func (e *Events) Scalar(step int64, tag string, value float64) error {
	v := protowire.AppendTag(nil, valueTag, protowire.BytesType)
	v = protowire.AppendString(v, tag)
	v = protowire.AppendTag(v, valueSimple, protowire.Fixed32Type)
	v = protowire.AppendFixed32(v, math.Float32bits(float32(value)))
	summary := protowire.AppendTag(nil, summaryValue, protowire.BytesType)
	summary = protowire.AppendBytes(summary, v)
	event := e.event(step)
	event = protowire.AppendTag(event, eventSummary, protowire.BytesType)
	return e.write(protowire.AppendBytes(event, summary))
}

// Record writes the numbers of a run log's record, each as the series
// split/name.
func (e *Events) Record(r Record) error {
	for _, s := range r.scalars() {
		if err := e.Scalar(r.Step, r.Split+"/"+s.name, s.value); err != nil {
			return err
		}
	}
	return nil
}

// Close syncs and closes the file.
func (e *Events) Close() error { return errors.Join(e.file.Sync(), e.file.Close()) }

// event begins an Event message with the time and step.
func (e *Events) event(step int64) []byte {
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(e.now().UnixMicro())/1e6))
	b = protowire.AppendTag(b, eventStep, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(step))
}

// write frames one message as TFRecord does: length, its checksum, the bytes,
// their checksum, numbers little-endian.
func (e *Events) write(message []byte) error {
	frame := binary.LittleEndian.AppendUint64(nil, uint64(len(message)))
	frame = binary.LittleEndian.AppendUint32(frame, maskedChecksum(frame))
	frame = append(frame, message...)
	frame = binary.LittleEndian.AppendUint32(frame, maskedChecksum(message))
	if _, err := e.file.Write(frame); err != nil {
		return fmt.Errorf("event file: %w", err)
	}
	return nil
}

// maskedChecksum is CRC-32C turned right by 15 bits plus a constant, since a
// checksum over data that holds checksums would be weak.
func maskedChecksum(b []byte) uint32 {
	crc := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}
