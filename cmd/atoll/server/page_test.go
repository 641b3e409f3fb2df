package server

import (
	"regexp"
	"strings"
	"testing"
)

// The page must work without any other server, and its policy must let its own style and script run.
func TestPageIsSelfContained(t *testing.T) {
	r := start(t, DefaultLimits(), fakeModel(&fake{})).ready()
	got := r.get("/")
	if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d, %s", got.status, got.header.Get("Content-Type"))
	}
	if found := regexp.MustCompile(`(?i)(src|href|url)\s*[=(]\s*["']?(https?:|//)[^"']*|@import`).FindString(got.body); found != "" {
		t.Errorf("the page refers to %q: want nothing from elsewhere", found)
	}
	policy := got.header.Get("Content-Security-Policy")
	for _, tag := range []string{"style", "script"} {
		inline := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(got.body, -1)
		if len(inline) != 1 || len(inline[0][1]) < 100 {
			t.Fatalf("%d inline %ss, want 1 with content", len(inline), tag)
		}
		if hash := sourceHash(inline[0][1]); !strings.Contains(policy, tag+"-src '"+hash+"'") {
			t.Errorf("the policy %q does not let %s %s run", policy, tag, hash)
		}
	}
	if strings.Contains(got.body, "innerHTML") || regexp.MustCompile(`\son\w+="`).MatchString(got.body) {
		t.Error("the page reads text as HTML, or has inline handlers, which its policy forbids")
	}
}
