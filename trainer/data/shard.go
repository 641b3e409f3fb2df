package data

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// The layout of a token shard, llm.c's: 256 little-endian int32 (magic, version, number of tokens, zeros), then tokens.
const (
	shardMagic  = 20240520
	shardHeader = 256 * 4
	// maxShardTokens is the most tokens a shard gets, as in llm.c's own data.
	maxShardTokens = 100_000_000
)

// tokenType is how a token is stored; its number is the shard's version.
type tokenType int

const (
	uint16Tokens tokenType = 1
	uint32Tokens tokenType = 2
)

func tokenTypeFor(vocabulary int) tokenType {
	if vocabulary > 1<<16 {
		return uint32Tokens
	}
	return uint16Tokens
}

// bytes is the size of one token.
func (t tokenType) bytes() int64 { return 2 * int64(t) }

func (t tokenType) String() string {
	if t == uint32Tokens {
		return "uint32"
	}
	return "uint16"
}

func shardName(split splitID, n int) string { return fmt.Sprintf("%s-%05d.bin", split, n) }

// shardWriter writes the token stream of one split into as many shards as it takes.
type shardWriter struct {
	dir   string
	split splitID
	kind  tokenType
	limit int64 // tokens a shard gets at most

	names []string
	total int64 // tokens of all shards
	count int64 // tokens of the open shard
	file  *os.File
	w     *bufio.Writer
	bytes []byte
}

func (s *shardWriter) write(tokens []int32) error {
	for len(tokens) > 0 {
		if s.file == nil || s.count == s.limit {
			if err := s.next(); err != nil {
				return err
			}
		}
		n := min(int64(len(tokens)), s.limit-s.count)
		s.bytes = appendTokens(s.bytes[:0], tokens[:n], s.kind)
		if _, err := s.w.Write(s.bytes); err != nil {
			return err
		}
		s.count += n
		s.total += n
		tokens = tokens[n:]
	}
	return nil
}

func appendTokens(dst []byte, tokens []int32, kind tokenType) []byte {
	for _, token := range tokens {
		if kind == uint32Tokens {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(token))
		} else {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(token))
		}
	}
	return dst
}

// next closes the open shard and begins another.
func (s *shardWriter) next() error {
	if err := s.close(); err != nil {
		return err
	}
	name := shardName(s.split, len(s.names))
	file, err := os.Create(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	s.names = append(s.names, name)
	s.file, s.count = file, 0
	s.w = bufio.NewWriterSize(file, 1<<20)
	_, err = s.w.Write(make([]byte, shardHeader))
	return err
}

// close completes the open shard's header.
func (s *shardWriter) close() error {
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	err := s.w.Flush()
	if err == nil {
		_, err = file.WriteAt(shardHead(s.kind, s.count), 0)
	}
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

func shardHead(kind tokenType, count int64) []byte {
	head := binary.LittleEndian.AppendUint32(nil, shardMagic)
	head = binary.LittleEndian.AppendUint32(head, uint32(kind))
	return binary.LittleEndian.AppendUint32(head, uint32(count))
}

// parseShardHead checks a shard's header against the file's size and gives its token type and count.
func parseShardHead(name string, head []byte, size int64) (tokenType, int64, error) {
	if len(head) < shardHeader {
		return 0, 0, fmt.Errorf("%s: %d bytes, want at least the %d of a shard's header: the file is cut off, run atoll prepare again",
			name, size, shardHeader)
	}
	magic := int32(binary.LittleEndian.Uint32(head))
	version := int32(binary.LittleEndian.Uint32(head[4:]))
	count := int64(int32(binary.LittleEndian.Uint32(head[8:])))
	if magic != shardMagic {
		return 0, 0, fmt.Errorf("%s: magic number %d, want %d: not a token shard", name, magic, shardMagic)
	}
	kind := tokenType(version)
	if kind != uint16Tokens && kind != uint32Tokens {
		return 0, 0, fmt.Errorf("%s: version %d of the token shard is unknown, want 1 (uint16) or 2 (uint32)", name, version)
	}
	if count < 0 {
		return 0, 0, fmt.Errorf("%s: header says %d tokens, want 0 or more: the file is damaged", name, count)
	}
	if want := shardHeader + count*kind.bytes(); size != want {
		return 0, 0, fmt.Errorf("%s: %d bytes, want %d for the %d %s tokens in its header: the file is cut off or damaged, run atoll prepare again",
			name, size, want, count, kind)
	}
	return kind, count, nil
}
