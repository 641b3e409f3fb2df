package data

import (
	"bufio"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Reader turns UTF-16 into UTF-8. What is not UTF-16 (an unpaired surrogate, a last odd byte) becomes bytes that are
// not UTF-8 either, so that the check further on reports it with its line instead of a silent U+FFFD.
type utf16Reader struct {
	r         *bufio.Reader
	bigEndian bool
	out       []byte // decoded, not yet read
	hold      uint16 // a high surrogate waiting for its pair; 0 is none
	done      bool
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(u.out) == 0 {
		if u.done {
			return 0, io.EOF
		}
		if err := u.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf16Reader) fill() error {
	u.out = u.out[:0]
	var pair [2]byte
	for len(u.out) < 4096 {
		n, err := io.ReadFull(u.r, pair[:])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			u.end(n)
			return nil
		}
		if err != nil {
			return err
		}
		unit := uint16(pair[0]) | uint16(pair[1])<<8
		if u.bigEndian {
			unit = uint16(pair[1]) | uint16(pair[0])<<8
		}
		u.add(unit)
	}
	return nil
}

func (u *utf16Reader) end(odd int) {
	u.flush()
	if odd == 1 {
		u.out = append(u.out, 0xff)
	}
	u.done = true
}

func (u *utf16Reader) add(unit uint16) {
	switch {
	case u.hold != 0 && unit >= 0xdc00 && unit < 0xe000:
		u.out = utf8.AppendRune(u.out, utf16.DecodeRune(rune(u.hold), rune(unit)))
		u.hold = 0
	case unit >= 0xd800 && unit < 0xdc00:
		u.flush()
		u.hold = unit
	case unit >= 0xdc00 && unit < 0xe000:
		u.flush()
		u.out = appendSurrogate(u.out, unit)
	default:
		u.flush()
		u.out = utf8.AppendRune(u.out, rune(unit))
	}
}

func (u *utf16Reader) flush() {
	if u.hold != 0 {
		u.out = appendSurrogate(u.out, u.hold)
		u.hold = 0
	}
}

// appendSurrogate writes a lone surrogate in three bytes that utf8.Valid refuses.
func appendSurrogate(dst []byte, unit uint16) []byte {
	return append(dst, 0xe0|byte(unit>>12), 0x80|byte(unit>>6)&0x3f, 0x80|byte(unit)&0x3f)
}
