package server

import (
	"net/http"
)

// routes are the paths that are answered.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(path, method string, h http.Handler) {
		mux.Handle(path, s.metrics.count(path, allow(method, h)))
	}
	handle("/v1/classify", http.MethodPost, http.HandlerFunc(s.serveClassify))
	handle("/v1/models", http.MethodGet, http.HandlerFunc(s.serveModels))
	handle("/health", http.MethodGet, http.HandlerFunc(s.serveHealth))
	handle("/ready", http.MethodGet, http.HandlerFunc(s.serveReady))
	handle("/metrics", http.MethodGet, s.metrics.handler())
	mux.Handle("/{$}", s.metrics.count("/", allow(http.MethodGet, newPage())))
	mux.Handle("/", s.metrics.count("other", http.HandlerFunc(serveNotFound))) // one name for all: clients choose paths, and each name costs memory
	return mux
}

// allow refuses all methods but one; HEAD goes where GET does.
func allow(method string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == method || r.Method == http.MethodHead && method == http.MethodGet {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", method)
		writeFailure(w, fail(http.StatusMethodNotAllowed, "method_not_allowed", "method %s, want %s", r.Method, method))
	})
}

func serveNotFound(w http.ResponseWriter, r *http.Request) {
	writeFailure(w, fail(http.StatusNotFound, "not_found", "no such path: %q: see / for a page to try the model, /v1/classify for programs", r.URL.Path))
}

// serveHealth answers as long as the process can: restart it when this fails.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// serveReady says whether to send requests here.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if _, f := s.ready(); f != nil {
		writeFailure(w, f)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// description is what GET /v1/models says of a model.
type description struct {
	ID        string   `json:"id"`
	Object    string   `json:"object"`
	Task      string   `json:"task"` // classify or multilabel
	Labels    []string `json:"labels"`
	MaxTokens int      `json:"max_tokens"`
	MaxTexts  int      `json:"max_texts"`
}

// serveModels lists what is served, in the shape of OpenAI's list of models.
func (s *Server) serveModels(w http.ResponseWriter, _ *http.Request) {
	m, f := s.ready()
	if f != nil {
		writeFailure(w, f)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Object string        `json:"object"`
		Data   []description `json:"data"`
	}{"list", []description{{m.Name, "model", m.Problem.String(), m.Labels, m.MaxTokens, s.limits.Texts}}})
}
