package server

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"atoll/model/predict"
)

// metrics is what GET /metrics reports, in a registry of this server's own. docs/serving.md lists the names.
type metrics struct {
	registry       *prometheus.Registry
	requests       *prometheus.CounterVec   // by route and code
	requestSeconds *prometheus.HistogramVec // by route
	documents      prometheus.Counter
	truncated      prometheus.Counter
	tokens         prometheus.Counter
	batchDocuments prometheus.Histogram
	batchTokens    prometheus.Histogram
	queueSeconds   prometheus.Histogram
	inference      prometheus.Histogram
}

// seconds are the buckets of every duration: from a tiny model's batch to the longest timeout that makes sense.
var seconds = prometheus.ExponentialBuckets(0.0005, 2, 18)

func newMetrics(s *Server) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "atoll_requests_total", Help: "Requests answered."}, []string{"route", "code"}),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "atoll_request_seconds", Help: "Time from a request's headers to its answer.", Buckets: seconds}, []string{"route"}),
		documents:      counter("atoll_documents_total", "Texts classified and answered."),
		truncated:      counter("atoll_documents_truncated_total", "Texts of which only the beginning was read."),
		tokens:         counter("atoll_tokens_total", "Tokens of the texts classified and answered."),
		batchDocuments: histogram("atoll_batch_documents", "Texts classified together.", prometheus.ExponentialBuckets(1, 2, 10)),
		batchTokens:    histogram("atoll_batch_tokens", "Tokens classified together.", prometheus.ExponentialBuckets(16, 2, 10)),
		queueSeconds:   histogram("atoll_queue_seconds", "Time from a request's arrival in the queue to a batch with texts of it.", seconds),
		inference:      histogram("atoll_inference_seconds", "Time of the model on a batch.", seconds),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(m.requests, m.requestSeconds, m.documents, m.truncated, m.tokens,
		m.batchDocuments, m.batchTokens, m.queueSeconds, m.inference,
		gauge("atoll_requests_in_flight", "Classification requests under way.", func() float64 { return float64(len(s.slots)) }),
		gauge("atoll_queued_documents", "Texts waiting for a batch.", func() float64 { return float64(s.queue.length()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler answers GET /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count makes h report its requests under the name of its route.
func (m *metrics) count(route string, h http.Handler) http.Handler {
	label := prometheus.Labels{"route": route}
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(label),
		promhttp.InstrumentHandlerDuration(m.requestSeconds.MustCurryWith(label), h))
}

// batchDone reports a batch.
func (m *metrics) batchDone(documents, tokens int, took time.Duration) {
	m.batchDocuments.Observe(float64(documents))
	m.batchTokens.Observe(float64(tokens))
	m.inference.Observe(took.Seconds())
}

// documentsDone reports the texts of an answer.
func (m *metrics) documentsDone(predictions []predict.Prediction) {
	for _, p := range predictions {
		m.documents.Inc()
		m.tokens.Add(float64(p.Tokens))
		if p.Truncated {
			m.truncated.Inc()
		}
	}
}
