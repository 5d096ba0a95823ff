package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// largest is what a browser loads for the page at most, before compression.
const largest = 150_000

func source(t *testing.T) fs.FS {
	t.Helper()
	files, err := fs.Sub(embedded, "files")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func serve(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	h, err := Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestEveryFileIsServedWithItsTypeAndUnderTheLimit(t *testing.T) {
	files, err := read(source(t))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for at, f := range files {
		total += len(f.content)
		answer := serve(t, http.MethodGet, at, nil)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != f.kind {
			t.Errorf("%s: %d, %s", at, answer.StatusCode, answer.Header.Get("Content-Type"))
		}
		for name, want := range map[string]string{"Cache-Control": "no-cache", "Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff"} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", at, name, got, want)
			}
		}
	}
	if _, ok := files["/"]; !ok || total >= largest {
		t.Errorf("the page (there: %t) has %d bytes, at most %d are allowed", ok, total, largest)
	}
	t.Logf("%d files, %d bytes", len(files), total)
}

func TestAnUnchangedFileIsNotSentAgain(t *testing.T) {
	tag := serve(t, http.MethodGet, "/", nil).Header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	if answer := serve(t, http.MethodGet, "/", http.Header{"If-None-Match": {tag}}); answer.StatusCode != http.StatusNotModified {
		t.Errorf("the same tag: %d", answer.StatusCode)
	}
	if answer := serve(t, http.MethodGet, "/", http.Header{"If-None-Match": {`"another"`}}); answer.StatusCode != http.StatusOK {
		t.Errorf("another tag: %d", answer.StatusCode)
	}
}

func TestWhatIsNoFileOfThePageGoesOn(t *testing.T) {
	for _, r := range [][2]string{{"GET", "/index.html"}, {"GET", "/js"}, {"GET", "/js/"}, {"GET", "/js/../js/app.js"}, {"GET", "/livez"}, {"POST", "/"}, {"DELETE", "/js/app.js"}} {
		if answer := serve(t, r[0], r[1], nil); answer.StatusCode != http.StatusTeapot {
			t.Errorf("%s %s: %d", r[0], r[1], answer.StatusCode)
		}
	}
}

func TestFilesOfAnUnknownKindAreRefused(t *testing.T) {
	if _, err := read(fstest.MapFS{"a.exe": {}}); err == nil || !strings.Contains(err.Error(), "a.exe") {
		t.Errorf("got %v", err)
	}
}

// The policy forbids code and styles in markup; nothing may come from another host; and no data may become markup.
func TestThePageObeysItsPolicy(t *testing.T) {
	each(t, func(name, line string, n int) {
		for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "javascript:", "<style", " style=", "createContextualFragment"} {
			if strings.Contains(line, forbidden) {
				t.Errorf("%s:%d: %s", name, n, forbidden)
			}
		}
		for _, address := range regexp.MustCompile(`https?://[^'"\s]+`).FindAllString(line, -1) {
			if address != "http://www.w3.org/2000/svg" {
				t.Errorf("%s:%d: leads to %s", name, n, address)
			}
		}
	})
	page, err := fs.ReadFile(source(t), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`<script(?:[^>]*src=)?[^>]*>[^<]+|\son\w+=`).Find(page); m != nil {
		t.Errorf("index.html has code in markup: %s", m)
	}
}

// What lean relies on: text does not go over several lines, and no text of a style sheet has the blanks that it takes away.
func TestLeanFilesMeanTheSame(t *testing.T) {
	each(t, func(name, line string, n int) {
		if path.Ext(name) == ".js" && strings.Count(line, "`")%2 != 0 {
			t.Errorf("%s:%d: a template goes over several lines", name, n)
		}
		if path.Ext(name) != ".css" {
			return
		}
		for _, text := range regexp.MustCompile(`"[^"]*"`).FindAllString(line, -1) {
			if lean(".css", text) != text {
				t.Errorf("%s:%d: %s would become %s", name, n, text, lean(".css", text))
			}
		}
		if strings.Contains(line, "/*") != strings.Contains(line, "*/") {
			t.Errorf("%s:%d: a comment goes over several lines", name, n)
		}
	})
	if got, want := lean(".js", "  a('// b'); // c\n\n  // d\n"), "a('// b'); // c\n\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := lean(".css", "/* a */\n  .b :is(a, b) { c: d; e: f; }\n"), ".b :is(a,b){c:d;e:f}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func each(t *testing.T, check func(name, line string, n int)) {
	t.Helper()
	err := fs.WalkDir(source(t), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(source(t), name)
		for i, line := range strings.Split(string(content), "\n") {
			check(name, line, i+1)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
