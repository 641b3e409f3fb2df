package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"atoll/model"
	"atoll/model/predict"
)

// threshold is the probability from which on a text has one of several labels, as in evaluation.
const threshold = 0.5

// answer is the body of POST /v1/classify.
type answer struct {
	Model string   `json:"model"`
	Data  []result `json:"data"` // in the order of the texts
	Usage usage    `json:"usage"`
}

// result is the prediction of one text: Label and Score for one label a text, Labels for several.
type result struct {
	Index     int      `json:"index"`
	Label     string   `json:"label,omitempty"`
	Score     *float32 `json:"score,omitempty"`
	Labels    []string `json:"labels,omitzero"` // may be empty, when none is likely enough
	Scores    scores   `json:"scores"`
	Truncated bool     `json:"truncated"`
}

// usage counts the tokens that were read.
type usage struct {
	Tokens int `json:"tokens"`
}

// scores is a JSON object of label to score whose members are in the order of the labels. The numbers have as many
// digits as it takes to tell a float32 from its neighbours.
type scores struct {
	labels []string
	values []float32
}

// MarshalJSON writes the object.
func (s scores) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, label := range s.labels {
		if i > 0 {
			text = append(text, ',')
		}
		key, err := json.Marshal(label)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(s.values[i])
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, key...), ':'), value...)
	}
	return append(text, '}'), nil
}

// serveClassify answers POST /v1/classify.
func (s *Server) serveClassify(w http.ResponseWriter, r *http.Request) {
	a, err := s.classify(w, r)
	if err == nil {
		writeJSON(w, http.StatusOK, a)
		return
	}
	var f *failure
	if !errors.As(err, &f) {
		s.log.Printf("POST /v1/classify: %v", err)
		f = fail(http.StatusInternalServerError, "internal", "the model failed on this request; the server's log says why")
	}
	if s.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	writeFailure(w, f)
}

func (s *Server) classify(w http.ResponseWriter, r *http.Request) (answer, error) {
	m, unready := s.ready()
	if unready != nil {
		return answer{}, unready
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return answer{}, busy(http.StatusTooManyRequests, "overloaded",
			"%d requests are under way, the most that run at once: try again in a second", s.limits.Requests)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.Request)
	defer cancel()
	texts, err := s.readTexts(w, r)
	if err != nil {
		return answer{}, err
	}
	documents := make([][]int32, len(texts))
	for i, text := range texts {
		documents[i] = m.encode(text)
	}
	predictions, err := s.queue.classify(ctx, documents)
	if err != nil {
		return answer{}, s.explain(r, err)
	}
	s.metrics.documentsDone(predictions)
	return m.answer(predictions), nil
}

// ready gives the model, or the failure that says why there is none to use.
func (s *Server) ready() (*Model, *failure) {
	m := s.current.Load()
	switch {
	case s.draining.Load():
		return nil, busy(http.StatusServiceUnavailable, "draining", "the server is stopping: try another, or again in a second")
	case m == nil:
		return nil, busy(http.StatusServiceUnavailable, "loading", "the model is being loaded: try again in a second")
	}
	return m, nil
}

// explain turns the queue's errors into failures.
func (s *Server) explain(r *http.Request, err error) error {
	switch {
	case errors.Is(err, errFull):
		return busy(http.StatusTooManyRequests, "queue_full", "as many texts wait as may, %d: try again in a second, with fewer texts",
			s.limits.QueuedTexts)
	case errors.Is(err, errStopped):
		return busy(http.StatusServiceUnavailable, "draining", "the server stopped before this request was through: try it again")
	case r.Context().Err() != nil:
		return errClientGone
	case errors.Is(err, context.DeadlineExceeded):
		return busy(http.StatusServiceUnavailable, "timeout", "no scores within %v, the most that a request may take: try again, with fewer texts",
			s.limits.Request)
	}
	return err
}

// encode gives the tokens of a text, but not more than it takes to see that it is too long.
func (m *Model) encode(text string) []int32 {
	ids := m.Classifier.Encode(text)
	if len(ids) > m.MaxTokens+1 {
		return slices.Clone(ids[:m.MaxTokens+1])
	}
	return ids
}

func (m *Model) answer(predictions []predict.Prediction) answer {
	a := answer{Model: m.Name, Data: make([]result, len(predictions))}
	for i, p := range predictions {
		d := result{Index: i, Scores: scores{m.Labels, p.Scores}, Truncated: p.Truncated}
		if m.Problem == model.MultiLabel {
			d.Labels = m.likely(p.Scores)
		} else {
			best := p.Best()
			d.Label, d.Score = m.Labels[best], &p.Scores[best]
		}
		a.Data[i] = d
		a.Usage.Tokens += p.Tokens
	}
	return a
}

// likely lists the labels at or above the threshold.
func (m *Model) likely(scores []float32) []string {
	labels := []string{}
	for i, s := range scores {
		if s >= threshold {
			labels = append(labels, m.Labels[i])
		}
	}
	return labels
}
