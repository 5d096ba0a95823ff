package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files writes files, with their folders, into the place.
func (p *place) files(t *testing.T, contents map[string]string) {
	t.Helper()
	for name, content := range contents {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(p.dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		p.write(t, name, content)
	}
}

const (
	passing = "pipeline: ../shop.yaml\ncases:\n  - name: open orders are dropped\n    input: [{value: {status: open}}]\n    filtered: 1\n"
	failing = "pipeline: ../shop.yaml\ncases:\n  - name: open orders are kept\n    input: [{value: {status: open}}]\n    output: [{topic: all}]\n"
)

func TestTestRunsTheFilesOfAFolder(t *testing.T) {
	p := newPlace(t)
	p.files(t, map[string]string{"shop.yaml": tried, "a/x_test.yaml": passing, "a/b/y_test.yaml": strings.Replace(passing, "../", "../../", 1), "a/.hidden/z_test.yaml": "?", "a/test.yaml": "?"})
	if code := p.main(t, "test", "a", "a/x_test.yaml"); code != exitOK {
		t.Errorf("exit code %d: %s%s", code, p.out, p.err)
	}
	want := "ok    a/b/y_test.yaml:3  open orders are dropped\nok    a/x_test.yaml:3  open orders are dropped\n2 cases in 2 files: 2 passed, 0 failed\n"
	if p.out.String() != want {
		t.Errorf("got\n%s", p.out)
	}
}

func TestTestFailsWithADiff(t *testing.T) {
	p := newPlace(t)
	p.files(t, map[string]string{"shop.yaml": tried, "a/x_test.yaml": passing, "a/y_test.yaml": failing})
	code := p.main(t, "test", ".")
	want := `ok    a/x_test.yaml:3  open orders are dropped
FAIL  a/y_test.yaml:3  open orders are kept
      record 1 of all: expected, but it did not come
      what became of the input:
          1  filtered (filter): status == "paid" is false
`
	if code != exitFailed || p.out.String() != want || p.err.String() != "failed: 2 cases in 2 files: 1 passed, 1 failed\n" {
		t.Errorf("exit code %d:\n%s\n%s", code, p.out, p.err)
	}
}

func TestTestTellsWrongFilesAndRunsTheOthers(t *testing.T) {
	for name, content := range map[string]string{
		"a/wrong_test.yaml:3:5":             "pipeline: ../shop.yaml\ncases:\n  - nam: x\n",
		"bad.yaml:1:1":                      "pipeline: ../bad.yaml\ncases: [{name: a, input: [x]}]\n",
		"a/wrong_test.yaml:1:11: read":      "pipeline: nowhere.yaml\ncases: [{name: a, input: [x]}]\n",
		"a/wrong_test.yaml:2:40: the pipel": "pipeline: ../shop.yaml\ncases: [{name: a, input: [x], output: [{topic: al}]}]\n",
	} {
		p := newPlace(t)
		p.files(t, map[string]string{"shop.yaml": tried, "bad.yaml": "nam: x\n", "a/wrong_test.yaml": content, "a/x_test.yaml": passing, "a/y_test.yaml": failing})
		code := p.main(t, "test", "a")
		if code != exitMisconfigured || !has(p.out.String(), "WRONG a/wrong_test.yaml", name, "ok    a/x_test.yaml", "FAIL  a/y_test.yaml") || !has(p.err.String(), "1 passed, 1 failed: 1 file is wrong") {
			t.Errorf("%s: exit code %d:\n%s\n%s", name, code, p.out, p.err)
		}
	}
}

func TestNothingToTestIsAFailure(t *testing.T) {
	p := newPlace(t)
	p.files(t, map[string]string{"empty/pipeline.yaml": tried})
	if code := p.main(t, "test", "empty"); code != exitFailed || !has(p.err.String(), "empty has no test file: their names end in _test.yaml") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	for _, args := range [][]string{{"test"}, {"test", "nowhere"}, {"test", "--all"}} {
		p.err = &output{}
		if code := p.main(t, args...); code != exitMisconfigured || p.err.String() == "" {
			t.Errorf("%v: exit code %d: %s", args, code, p.err)
		}
	}
}

func TestATestDoesNotSeeTheEnvironment(t *testing.T) {
	p := newPlace(t)
	p.settings["PLACE"] = "shell"
	p.files(t, map[string]string{
		"p.yaml":      "name: p\nsource: {topic: in}\noutput: [{topic: \"out-${PLACE:-here}\"}]\n",
		"p_test.yaml": "pipeline: p.yaml\ncases: [{name: a, input: ['{}'], output: [{topic: out-here}]}]\n",
	})
	if code := p.main(t, "test", "p_test.yaml"); code != exitOK {
		t.Errorf("exit code %d: %s%s", code, p.out, p.err)
	}
}

func TestTheExamplesOfTheTestingPageAreTrue(t *testing.T) {
	page, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	var yaml []string
	var want []string
	for i, part := range strings.Split(string(page), "```") {
		language, text, _ := strings.Cut(part, "\n")
		switch {
		case i%2 == 1 && language == "yaml":
			yaml = append(yaml, text)
		case i%2 == 1 && language == "out":
			want = append(want, text)
		}
	}
	if len(yaml) != 5 || len(want) != 3 {
		t.Fatalf("%d files and %d reports", len(yaml), len(want))
	}
	for i, of := range []struct{ file, pipeline, code int }{{0, 1, exitOK}, {2, 1, exitFailed}, {3, 4, exitFailed}} {
		p := newPlace(t)
		p.files(t, map[string]string{"pipeline.yaml": yaml[of.pipeline], "checkout_test.yaml": yaml[of.file]})
		code := p.main(t, "test", "checkout_test.yaml")
		if got := p.out.String(); !strings.HasPrefix(got, want[i]) || code != of.code {
			t.Errorf("exit code %d: got\n%s%s\nwant\n%s", code, got, p.err, want[i])
		}
	}
}
