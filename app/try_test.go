package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"data-stream-engine/service/pipelinetest"
)

const tried = `name: shop
source: {topic: orders}
filter: status == "paid" && customer != nil
transform:
  set: {total: price * amount}
  rename: {customer: buyer}
  remove: [price, amount]
output:
  - {topic: all, key: buyer}
  - {topic: large, when: total > 10}
`

const events = `{"customer":"c-17","status":"paid","price":2,"amount":3}

   {"customer":"c2","status":"open"}
{"customer":"c3","status":"paid","price":"free","amount":1}
{"customer":
{"customer":"c5","status":"paid","price":20,"amount":1}`

// tries runs try with the pipeline above on some input.
func tries(t *testing.T, input string, args ...string) (p *place, code int) {
	t.Helper()
	p = newPlace(t)
	p.write(t, "shop.yaml", tried)
	process := p.process(append([]string{"try"}, args...)...)
	process.Stdin = strings.NewReader(input)
	return p, Main(t.Context(), process)
}

func TestTryShowsWhatEachStageMade(t *testing.T) {
	p, code := tries(t, events, "shop.yaml", "--partitions", "12")
	if code != exitOK || p.err.String() != "" {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	want := `line 1: forwarded to all
  input      {"customer":"c-17","status":"paid","price":2,"amount":3}
  decode     4 fields, 56 bytes
  filter     true      status == "paid"  status is "paid"
             true  &&  customer != nil   customer is "c-17"
  transform  total              (new)   ->  6         price * amount
             customer -> buyer  "c-17"  ->  the same
             price              2       ->  removed
             amount             3       ->  removed
  output     all: yes, partition 7, key c-17 (buyer)
  output     large: no
               when FALSE  total > 10  total is 6
  record     {"buyer":"c-17","status":"paid","total":6}

line 3: filtered (filter): status == "paid" is false
  input         {"customer":"c2","status":"open"}
  decode     2 fields, 36 bytes
  filter     FALSE      status == "paid"  status is "open"
             -      &&  customer != nil

line 4: DEAD LETTER (transform, expression): shop.yaml:5:22: * takes a number or a duration, not text "free" [set total: price * amount]
  input      {"customer":"c3","status":"paid","price":"free","amount":1}
  decode     4 fields, 59 bytes
  filter     true      status == "paid"  status is "paid"
             true  &&  customer != nil   customer is "c3"
  transform  total  FAILED  * takes a number or a duration, not text "free"; price is "free", amount is 1  price * amount
  record     shop-dead-letter: as it came, with the reason in its headers

line 5: DEAD LETTER (decode, invalid_json): byte 12: unexpected end of JSON input
  input      {"customer":
  record     shop-dead-letter: as it came, with the reason in its headers

line 6: forwarded to all, large
`
	if got := p.out.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if want := "5 events: 2 forwarded as 3 records, 1 filtered, 2 dead letters\n"; !strings.HasSuffix(p.out.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", p.out, want)
	}
}

func TestTryGivesOneJSONDocumentALine(t *testing.T) {
	p, code := tries(t, events, "--json", "shop.yaml")
	if code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	var got []string
	for line := range strings.Lines(p.out.String()) {
		var d struct {
			Line    int
			Input   string
			Outcome string
			Code    string
			Records []struct {
				Topic string
				Key   *string
				Value map[string]any
			}
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		text := d.Outcome + " " + d.Code
		for _, r := range d.Records {
			text += " " + r.Topic
		}
		got = append(got, text)
		if d.Line == 6 && (d.Input != `{"customer":"c5","status":"paid","price":20,"amount":1}` || *d.Records[0].Key != "c5" || d.Records[1].Key != nil || d.Records[1].Value["total"] != 20.0) {
			t.Errorf("%+v", d)
		}
	}
	if want := "forwarded  all, filtered , dead_letter expression shop-dead-letter, dead_letter invalid_json shop-dead-letter, forwarded  all large"; strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}

func TestTryStrictFailsOnDeadLetters(t *testing.T) {
	p, code := tries(t, events, "--strict", "shop.yaml")
	if code != exitFailed || !has(p.err.String(), "2 dead letters (--strict)") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	if p, code := tries(t, `{"status":"open"}`, "shop.yaml", "--strict"); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err)
	}
}

func TestTrySaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"nowhere.yaml"}, exitMisconfigured, "nowhere.yaml"},
		{[]string{"bad.yaml"}, exitMisconfigured, "bad.yaml:2:1"},
		{[]string{"shop.yaml", "more"}, exitMisconfigured, `"more"`},
		{[]string{"shop.yaml", "--partitions", "0"}, exitMisconfigured, "at least 1"},
		{[]string{"shop.yaml", "--colour"}, exitMisconfigured, "colour"},
	} {
		p := newPlace(t)
		p.write(t, "shop.yaml", tried)
		p.write(t, "bad.yaml", "name: x\nfilters: y\n")
		process := p.process(append([]string{"try"}, c.args...)...)
		process.Stdin = strings.NewReader(events)
		if code := Main(t.Context(), process); code != c.code || !has(p.err.String(), c.want) || p.out.String() != "" {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, p.err, p.out)
		}
	}
}

func TestALineThatNoRecordCouldHoldIsNamed(t *testing.T) {
	p := newPlace(t)
	p.write(t, "shop.yaml", tried)
	p.settings["MAX_BATCH_BYTES"], p.settings["KAFKA_FETCH_MAX_BYTES"] = "1MiB", "1MiB"
	fits := `{"status":"` + strings.Repeat("x", 1<<20-13) + "\"}\n"
	process := p.process("try", "shop.yaml")
	process.Stdin = io.MultiReader(strings.NewReader(fits), strings.NewReader("\n "+fits), strings.NewReader(fits))
	code := Main(t.Context(), process)
	if code != exitFailed || !has(p.err.String(), "line 3 is longer than 1MiB (MAX_BATCH_BYTES)") || !has(p.out.String(), "line 1: filtered", "1 event: 0 forwarded") {
		t.Errorf("exit code %d: %s\n%.2000s", code, p.err, p.out)
	}
}

func TestAnInputThatBreaksOffIsAnError(t *testing.T) {
	p := newPlace(t)
	p.write(t, "shop.yaml", tried)
	process := p.process("try", "shop.yaml")
	process.Stdin = io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(errors.New("the disk is gone")))
	if code := Main(t.Context(), process); code != exitFailed || !has(p.err.String(), "read line 2: the disk is gone") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
}

// Somebody types: each line is answered before the next one, and a signal ends the wait for more.
func TestTryAnswersLineByLine(t *testing.T) {
	p := newPlace(t)
	p.write(t, "shop.yaml", tried)
	in, typing := io.Pipe()
	reading, out := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	process := p.process("try", "--json", "shop.yaml")
	process.Stdin, process.Stdout = in, out
	code := make(chan int, 1)
	go func() { code <- Main(ctx, process) }()
	answers := bufio.NewScanner(reading)
	for _, line := range []string{`{"status":"open"}`, `{`} {
		if _, err := io.WriteString(typing, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !has(answers.Text(), `"outcome"`) {
			t.Fatalf("no answer to %s: %v", line, answers.Err())
		}
	}
	cancel() // the signal
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d: %s", got, p.err)
	}
}

func TestWithoutAHashKeyTryUsesThatOfTheTests(t *testing.T) {
	const hashing = "name: h\nsource: {topic: in}\ntransform: {set: {id: hash(id)}}\noutput: [{topic: out}]\n"
	hash := map[string]string{}
	for _, key := range []string{"", pipelinetest.HashKey, "another key of 32 characters ..."} {
		p := newPlace(t)
		p.write(t, "h.yaml", hashing)
		if key != "" {
			p.settings["HASH_KEY"] = key
		}
		process := p.process("try", "h.yaml")
		process.Stdin = strings.NewReader(`{"id":"593-47-5928"}`)
		if code := Main(t.Context(), process); code != exitOK || has(p.err.String(), "HASH_KEY is not set") != (key == "") {
			t.Errorf("%q: exit code %d: %s", key, code, p.err)
		}
		_, hash[key], _ = strings.Cut(p.out.String(), "record ")
		if key != "" && has(p.out.String()+p.err.String(), key) {
			t.Errorf("the key is shown:\n%s", p.out)
		}
	}
	if hash[""] != hash[pipelinetest.HashKey] || !has(hash[""], "362dfe48928d35f0ecad48332e2cd767") || hash[""] == hash["another key of 32 characters ..."] {
		t.Errorf("%q", hash)
	}
}

func TestEventsCannotSpeakToTheTerminal(t *testing.T) {
	p, _ := tries(t, "{\"status\":\"\u009b2J\", \"\x1b]0;x\x07\n\"\xff\u202e\"\n", "shop.yaml")
	if strings.ContainsAny(p.out.String(), "\x1b\x07\u009b\u202e") || !utf8.ValidString(p.out.String()) || !has(p.out.String(), `\u009b2J`, `\x1b]0;x`, `\xff\u202e`) {
		t.Errorf("%q", p.out)
	}
}
