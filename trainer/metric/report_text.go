package metric

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShownText is how many characters of a text a report shows.
const maxShownText = 800

// absent stands for a number that does not exist.
const absent = "–"

// cleanText makes a text fit to show: control characters become their symbols,
// invalid bytes the replacement character, direction marks (which could reorder
// what follows) go, and what is too long is cut with a note.
func cleanText(text string) string {
	var b strings.Builder
	shown := 0
	for i, r := range text {
		if shown == maxShownText {
			fmt.Fprintf(&b, " … (%s more characters)", FormatCount(int64(utf8.RuneCountInString(text[i:]))))
			break
		}
		shown++
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < 0x20:
			b.WriteRune(0x2400 + r)
		case r == 0x7f:
			b.WriteRune(0x2421)
		case unicode.Is(unicode.Cc, r), 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// formatFloat writes x with the given significant digits, without an exponent
// where that is readable.
func formatFloat(x float64, digits int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return absent
	}
	if x == 0 {
		return "0"
	}
	if a := math.Abs(x); a < 1e-4 || a >= 1e7 {
		s := strconv.FormatFloat(x, 'e', -1, 64)
		if rounded := strconv.FormatFloat(x, 'e', digits-1, 64); len(rounded) < len(s) {
			s = rounded
		}
		s = strings.Replace(s, "e-0", "e-", 1)
		return strings.Replace(strings.Replace(s, "e+0", "e", 1), "e+", "e", 1)
	}
	whole := int(math.Floor(math.Log10(math.Abs(x)))) + 1
	return strconv.FormatFloat(x, 'f', min(max(digits-whole, 0), 8), 64)
}

func formatPercent(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return absent
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}

// FormatCount groups digits: 12,345.
func FormatCount(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
