package metric

import "math"

// calibrationBins is the number of equal bins of confidence, the usual 15 (Guo
// et al. 2017, On Calibration of Modern Neural Networks).
const calibrationBins = 15

// Bin is one row of a reliability table: the predictions whose confidence lies
// in (Low, High], the first bin holding 0 too.
type Bin struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Count      int64   `json:"count"`
	Confidence float64 `json:"confidence"` // mean, 0 if the bin is empty
	Accuracy   float64 `json:"accuracy"`   // share that was right, 0 if empty
}

// calibration sorts predictions into bins of confidence.
type calibration struct {
	count      [calibrationBins]int64
	right      [calibrationBins]int64
	confidence [calibrationBins]float64 // sums
}

func (c *calibration) add(confidence float64, right bool) {
	bin := int(math.Ceil(confidence*calibrationBins)) - 1
	bin = min(max(bin, 0), calibrationBins-1)
	c.count[bin]++
	c.confidence[bin] += confidence
	if right {
		c.right[bin]++
	}
}

// error is the expected calibration error: the mean over predictions of the
// distance between their bin's confidence and its accuracy.
func (c *calibration) error() float64 {
	sum, total := 0.0, int64(0)
	for i, n := range c.count {
		sum += math.Abs(c.confidence[i] - float64(c.right[i]))
		total += n
	}
	if total == 0 {
		return 0
	}
	return sum / float64(total)
}

func (c *calibration) table() []Bin {
	table := make([]Bin, calibrationBins)
	for i, n := range c.count {
		table[i] = Bin{
			Low:      float64(i) / calibrationBins,
			High:     float64(i+1) / calibrationBins,
			Count:    n,
			Accuracy: ratio(c.right[i], n),
		}
		if n > 0 {
			table[i].Confidence = c.confidence[i] / float64(n)
		}
	}
	return table
}
