package bpe

// A cutTable tells between which two bytes a merge can reach: all pairs of the last byte of a rule's left token and the first byte
// of its right one. A word is merged in pieces, cut where no rule reaches across, with the same ids; in Chinese text
// nearly every character is then a piece of its own, which the cache knows.
type cutTable [1 << 16 / 64]uint64

func newCutTable(tokens []string, rules []rule) *cutTable {
	c := new(cutTable)
	for _, r := range rules {
		left, right := tokens[r.left], tokens[r.right]
		pair := int(left[len(left)-1])<<8 | int(right[0])
		c[pair/64] |= 1 << (pair % 64)
	}
	return c
}

// joins tells whether a rule may reach across the place between two bytes.
func (c *cutTable) joins(before, after byte) bool {
	pair := int(before)<<8 | int(after)
	return c[pair/64]>>(pair%64)&1 != 0
}

// pieceEnd gives the end of the piece of text[:end] that begins at i.
func (c *cutTable) pieceEnd(text string, i, end int) int {
	for i++; i < end && c.joins(text[i-1], text[i]); i++ {
	}
	return i
}
