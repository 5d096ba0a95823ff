package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const minimalPipeline = "name: p\nsource: {topic: in}\noutput: [{topic: out}]\n"

// validated runs validate in a place and gives its exit code, what it printed, and what it complained about.
func (p *place) validated(t *testing.T, args ...string) (code int, out, problems string) {
	t.Helper()
	p.out, p.err = &output{}, &output{}
	code = p.main(t, append([]string{"validate"}, args...)...)
	return code, p.out.String(), p.err.String()
}

func (p *place) mkdir(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(p.dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
}

func TestValidateSaysWhatAPipelineDoesAndNeeds(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_OUTPUT_TOPIC"] = "elsewhere"
	code, out, problems := p.validated(t)
	for _, want := range []string{
		"pipeline.yaml is right\n",
		"pipeline     user-login\n",
		"source       user-login\n",
		"output       elsewhere, key user_id\n",
		"dead letters user-login-dead-letter\n",
		"aggregate    logins_by_device\n",
		"insights     user-login-insights, by way of user-login-partials and user-login-changelog\n",
		"stages       decode, filter, transform (sets 5, removes 1), aggregate, route\n",
		"reads        app_version, device_id, device_type, ip, locale, timestamp, user_id\n",
		"filter                                    device_type, user_id\n",
		"set processed_at                          nothing\n",
		"key of elsewhere                          user_id (as transformed)\n",
		"passes on    every field but timestamp\n",
		"HASH_KEY     made by the embedded mode; needed by set device_id\n",
		`environment  KAFKA_SOURCE_TOPIC is not set, its default is "user-login"; KAFKA_OUTPUT_TOPIC is set` + "\n",
		"memory       up to about 70 MiB for 15 output partitions and one broker: ",
		"1 pipeline file checked, 0 with problems\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if code != exitOK || problems != "" || t.Failed() {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
}

func TestValidateSaysWhatIsSpecial(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_BOOTSTRAP_SERVERS"], p.settings["KAFKA_GROUP_ID"] = "broker:9092", "blue"
	delete(p.settings, "KAFKA_PARTITIONS")
	p.write(t, "p.yaml", "name: p\nsource: {topic: in}\ntransform:\n  set: {n: len(event), h: hash(a)}\n  rename: {old: new}\n  keep: [n, h, new]\noutput:\n  - {topic: out, key: new, when: h != nil}\n")
	code, out, problems := p.validated(t, "p.yaml")
	if code != exitOK || !has(out, "reads        the whole event\n", "set n        the whole event\n", "passes on    only n, h, new; old as new\n", "HASH_KEY     missing; needed by set h\n", "no variable is used", "blue-dead-letter",
		"8 output partitions (4 a topic: KAFKA_PARTITIONS does not say)", "output       out, key new, when h != nil\n") {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
	p.settings["HASH_KEY"] = "a secret that is not shown"
	if _, out, _ := p.validated(t, "p.yaml"); !has(out, "HASH_KEY     set; needed by set h") || has(out, "not shown") {
		t.Error(out)
	}
	p.write(t, "p.yaml", minimalPipeline)
	if _, out, _ := p.validated(t, "p.yaml"); !has(out, "reads        no field\n", "passes on    every field\n", "HASH_KEY     not needed\n", "stages       decode, route\n") {
		t.Error(out)
	}
}

const aggregating = `name: p
source: {topic: in}
transform: {set: {level: upper(level)}}
output: [{topic: out}]
aggregates:
  - name: errors
    where: level == "ERROR"
    group_by: [host, {team: lower(team)}]
    window: {tumbling: 1m, grace: 30s}
    measures: {errors: count(), slowest: 'percentile(ms, 99)'}
    detect: {measure: errors, sigma: 4, above: 1000}
  - name: visits
    of: source
    window: {session: 15m}
    measures: {pages: distinct(page)}
    emit: final
    late: drop
`

func TestValidateSaysWhatIsAggregated(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_GROUP_ID"] = "blue"
	p.write(t, "p.yaml", aggregating)
	code, out, problems := p.validated(t, "p.yaml")
	for _, want := range []string{
		"  aggregate    errors\n",
		"                 where     level == \"ERROR\"\n",
		"                 group by  host, team: lower(team)\n",
		"                 window    tumbling, 1m; grace 30s\n",
		"                 measures  errors: count(), slowest: percentile(ms, 99)\n",
		"                 emits     updates and the final value, corrected for 5m; what is late is a dead letter; 100000 groups a window at most\n",
		"                 detects   errors 4 sigma from what is usual, after 10 windows, or above 1000\n",
		"                 of        the event as it came\n",
		"                 group by  nothing: one group of everything\n",
		"                 window    session, until no event comes for 15m; grace 15m\n",
		"                 emits     the final value, corrected for 15m; what is late is dropped; ",
		"  insights     blue-insights, by way of blue-partials and blue-changelog\n",
		"  stages       decode, transform (sets 1), aggregate, route\n",
		"where of errors          level (as transformed)\n",
		"group_by team of errors  team (as transformed)\n",
		"pages of visits          page\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if code != exitOK || problems != "" || t.Failed() {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
	code, out, _ = p.validated(t, "p.yaml", "--json")
	var got struct {
		Files []struct {
			Pipeline struct {
				Aggregates []struct {
					Name, Of string
					Window   struct{ Kind, Size, Gap, Grace string }
					Measures []struct{ Name, Call string }
				}
			}
			Topics map[string]string `json:"aggregate_topics"`
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v\n%s", code, err, out)
	}
	a := got.Files[0].Pipeline.Aggregates
	if len(a) != 2 || a[0].Name != "errors" || a[0].Of != "event" || a[0].Window.Size != "1m" || a[0].Window.Grace != "30s" || a[0].Measures[1].Call != "percentile(ms, 99)" || a[1].Of != "source" || a[1].Window.Kind != "session" || a[1].Window.Gap != "15m" {
		t.Errorf("got %+v", a)
	}
	if got.Files[0].Topics["insights"] != "blue-insights" || len(got.Files[0].Topics) != 3 {
		t.Errorf("got %v", got.Files[0].Topics)
	}
	p.write(t, "p.yaml", minimalPipeline)
	if _, out, _ := p.validated(t, "p.yaml"); has(out, "insights") || has(out, "aggregate") {
		t.Error(out)
	}
}

func TestValidateFindsThePipelinesOfAFolder(t *testing.T) {
	p := newPlace(t)
	p.mkdir(t, "all/sub/deep", "all/.hidden")
	p.write(t, "all/a.yaml", minimalPipeline)
	p.write(t, "all/a_test.yaml", "source: nothing that is looked at")
	p.write(t, "all/sub/b.yml", minimalPipeline)
	p.write(t, "all/sub/docker-compose.yml", "name: x\nservices: {}\n")
	p.write(t, "all/sub/deep/notes.txt", "output:")
	p.write(t, "all/.hidden/c.yaml", "output: wrong")
	code, out, problems := p.validated(t, "all", "all/a.yaml", "./all/a.yaml")
	if code != exitOK || !has(out, filepath.Join("all", "a.yaml")+" is right", filepath.Join("all", "sub", "b.yml")+" is right", "2 pipeline files checked, 0 with problems; 2 other YAML files left out") || strings.Count(out, " is right") != 2 {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
}

func TestValidateReportsAllProblemsOfAllFiles(t *testing.T) {
	p := newPlace(t)
	p.mkdir(t, "all", "empty")
	p.write(t, "all/a.yaml", "name: p\nsource: {topic: in}\nfilter: lowr(a) == 1\nkey: x\noutput: [{topic: out}]\n")
	p.write(t, "all/b.yaml", minimalPipeline)
	p.write(t, "all/c.yaml", "output: [{topic: out, when: a &&}]\n")
	code, out, problems := p.validated(t, "all", "nowhere.yaml", "empty")
	a, c := filepath.Join("all", "a.yaml"), filepath.Join("all", "c.yaml")
	for _, want := range []string{
		a + ":3:9: unknown function lowr; did you mean lower?\n    3 | filter: lowr(a) == 1\n      |         ^\n",
		a + ":4:1: unknown key key, it belongs under output; accepted are ",
		c + ":1:1: a pipeline file has no name\n",
		c + ":1:1: a pipeline file has no source\n",
		c + ":1:32: the expression ends too early\n",
		"read pipeline file nowhere.yaml: no such file or directory",
		"look for pipeline files in empty: there is none",
		"\n5 pipeline files checked, 4 with problems\n",
	} {
		if !strings.Contains(problems, want) {
			t.Errorf("no %q", want)
		}
	}
	if code != exitMisconfigured || !has(out, filepath.Join("all", "b.yaml")+" is right") || t.Failed() {
		t.Errorf("exit code %d\n%s\n%s", code, out, problems)
	}
}

func TestValidateForPrograms(t *testing.T) {
	p := newPlace(t)
	p.write(t, "bad.yaml", "name: p\nsource: {topic: in}\nfilter: lowr(a) == 1\noutput: [{topic: out}]\n")
	code, out, problems := p.validated(t, "pipeline.yaml", "bad.yaml", "nowhere.yaml", "--json")
	var got struct {
		Valid   bool
		Checked int
		Files   []struct {
			File     string
			Valid    bool
			Problems []problem
			Pipeline struct {
				Name, Source string
				Fields       []string
				Variables    []struct {
					Name    string
					Default bool
				}
				HashKeyFor []string `json:"hash_key_for"`
			}
			Memory struct{ Bytes int64 }
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if code != exitMisconfigured || got.Valid || got.Checked != 3 || !has(problems, "3 pipeline files checked, 2 with problems") {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
	first, second, third := got.Files[0], got.Files[1], got.Files[2]
	if !first.Valid || first.Pipeline.Name != "user-login" || len(first.Pipeline.Fields) != 7 || len(first.Pipeline.Variables) != 2 || !first.Pipeline.Variables[0].Default || first.Pipeline.HashKeyFor[0] != "set device_id" || first.Memory.Bytes == 0 {
		t.Errorf("got %+v", first)
	}
	if second.Valid || len(second.Problems) != 1 || second.Problems[0] != (problem{3, 9, "unknown function lowr; did you mean lower?"}) {
		t.Errorf("got %+v", second)
	}
	if len(third.Problems) != 1 || !has(third.Problems[0].Message, "nowhere.yaml: no such file") {
		t.Errorf("got %+v", third)
	}
	if code, out, _ := p.validated(t, "--json"); code != exitOK || !has(out, `"valid": true`) {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// Whatever a file holds, validate says so in a few lines, and soon.
func TestValidateTakesNoHarmFromAnyFile(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"ten megabytes":  {strings.Repeat("name: p # and so on\n", 10<<20/20), "a file has 262144 bytes at most"},
		"empty":          {"", "the file is empty"},
		"only a comment": {"# nothing\n", "the file is empty"},
		"nested":         {"source: " + strings.Repeat("[", 10_000), "nested deeper than 32 levels"},
		"bomb":           {"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nname: *c\n", "anchors, aliases, tags and merge keys are not supported"},
		"binary":         {"\x7fELF\x02\x01\x00\x00", "the file has to be text"},
		"UTF-16":         {"\xff\xfen\x00a\x00", "is UTF-16; save it as UTF-8"},
		"Latin-1":        {"name: b\xe4r\n", "1:8: the file has to be UTF-8 text, the byte 0xe4 here is not"},
		"tabs":           {"source:\n\ttopic: in\n", "indent with spaces"},
		"two documents":  {minimalPipeline + "---\n" + minimalPipeline, "a second one starts here"},
		"not YAML":       {"name: [\n", "this is not YAML"},
		"escapes":        {"name: \x1b[31m\n", "control character U+001B"},
		"many problems":  {"name: p\nsource: {topic: in}\noutput: [{topic: out}]\ntransform:\n  set:\n" + strings.Repeat("    f: lowr(a)\n", 700), "700 problems, the first 50 are shown"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write(t, "p.yaml", c.content)
			started := time.Now()
			code, out, problems := p.validated(t, "p.yaml")
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if code != exitMisconfigured || out != "" || !has(problems, "p.yaml:", c.want) {
				t.Errorf("exit code %d\n%s%s", code, out, problems)
			}
			if len(problems) > 50_000 || strings.ContainsAny(problems, "\x1b\x00") {
				t.Errorf("%d bytes are printed: %q", len(problems), problems[:min(len(problems), 1000)])
			}
		})
	}
}

func TestValidateReadsFilesOfWindows(t *testing.T) {
	p := newPlace(t)
	p.write(t, "p.yaml", "\ufeff"+strings.ReplaceAll(minimalPipeline, "\n", "\r\n"))
	if code, out, problems := p.validated(t, "p.yaml"); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
}

func TestValidateRefusesWrongSettings(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_FETCH_MAX_BYTES"] = "much"
	if code, _, problems := p.validated(t); code != exitMisconfigured || !has(problems, `KAFKA_FETCH_MAX_BYTES="much"`) {
		t.Errorf("exit code %d\n%s", code, problems)
	}
	delete(p.settings, "KAFKA_FETCH_MAX_BYTES")
	delete(p.settings, "KAFKA_BOOTSTRAP_SERVERS")
	if code, _, problems := p.validated(t); code != exitOK {
		t.Errorf("without a broker: exit code %d\n%s", code, problems)
	}
}

// The estimate speaks of buffers that other packages own.
func TestTheEstimateCountsWhatTheEngineUses(t *testing.T) {
	for pattern, want := range map[string]string{
		"../repository/*.go": "buffersPerLeader = 2",
		"../handler/*.go":    "flushBytes = 2 << 20",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(src), want)
		}
		if !found {
			t.Errorf("nothing in %s says %s any more: does validate still count right?", pattern, want)
		}
	}
	if fetchBuffers != 2 || collectedBytes != 2<<20 {
		t.Error("the estimate counts with other numbers")
	}
}
