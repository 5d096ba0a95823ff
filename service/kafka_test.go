package service

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

func shipped(t testing.TB) string {
	t.Helper()
	src, err := os.ReadFile("../pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

const login = `{"user_id":"424cdd21-063a-43a7-b91b-7ca1a833afae","app_version":"2.3.0","device_type":"iOS","ip":"199.172.111.135","locale":"RU","device_id":"593-47-5928","timestamp":1694479551}`

func TestTheShippedPipelineTransformsALogin(t *testing.T) {
	records, result := run(t, shipped(t), login)
	want := `{"user_id":"424cdd21-063a-43a7-b91b-7ca1a833afae","app_version":"2.3.0","device_type":"ios","ip":"199.172.111.0","locale":"RU","device_id":"362dfe48928d35f0ecad48332e2cd767","login_at":"2023-09-12T00:45:51Z","processed_at":"2026-01-02T03:04:05.678Z"}`
	if len(records) != 1 || string(records[0].Value) != want {
		t.Fatalf("got %v", records)
	}
	r := records[0]
	if r.Topic != "user-login-processed" || string(r.Key) != "424cdd21-063a-43a7-b91b-7ca1a833afae" || r.Timestamp != 1700000000000 || r.Partition != partitionOf(r.Key, 4) {
		t.Errorf("got %+v", r)
	}
	if (result != model.Result{Consumed: 1, Forwarded: 1, Outputs: 1}) {
		t.Errorf("got %+v", result)
	}
}

func TestEveryFateOfTheShippedPipeline(t *testing.T) {
	for _, c := range []struct{ name, value, fate, stage, code, message string }{
		{"unknown user", strings.Replace(login, "424cdd21-063a-43a7-b91b-7ca1a833afae", "", 1), "filtered", "", "", ""},
		{"no user", `{"device_type":"iOS"}`, "filtered", "", "", ""},
		{"other device", `{"user_id":"u","device_type":"tv"}`, "filtered", "", "", ""},
		{"broken", `{"user_id":`, "dead", "decode", CodeInvalidJSON, "byte 11: unexpected end of JSON input"},
		{"empty", ``, "dead", "decode", CodeInvalidJSON, "the value is empty"},
		{"two values", `{} {}`, "dead", "decode", CodeInvalidJSON, "after top-level value"},
		{"list", ` [1]`, "dead", "decode", CodeNotAnObject, "not an object: a list"},
		{"null", `null`, "dead", "decode", CodeNotAnObject, "not an object: null"},
		{"no time", `{"user_id":"u","device_type":"iOS"}`, "dead", "decode", CodeInvalidEventTime, "nil is not a time"},
		{"bad time", `{"user_id":"u","device_type":"iOS","timestamp":"noon"}`, "dead", "decode", CodeInvalidEventTime, `text "noon" is not a time`},
		{"bad ip", strings.Replace(login, "199.172.111.135", "nowhere", 1), "dead", "transform", CodeExpression, `pipeline.yaml:17:9: mask_ip: text "nowhere" is not an IP address [set ip: mask_ip(ip)]`},
		{"bad id", strings.Replace(login, `"593-47-5928"`, `[]`, 1), "dead", "transform", CodeExpression, `pipeline.yaml:18:16: hash takes an integer or text, not a list of 0`},
		{"bad key", strings.Replace(login, `"424cdd21-063a-43a7-b91b-7ca1a833afae"`, `{"a":1}`, 1), "dead", "route", CodeInvalidKey, "a key is text, a number, a boolean or nil, not an object"},
	} {
		records, result := run(t, shipped(t), c.value)
		switch c.fate {
		case "filtered":
			if result.Filtered != 1 || len(records) != 0 {
				t.Errorf("%s: got %+v %v", c.name, result, records)
			}
		case "dead":
			if result.DeadLetters != 1 || len(records) != 1 {
				t.Errorf("%s: got %+v %v", c.name, result, records)
				continue
			}
			r := records[0]
			if r.Topic != "user-login-dead-letter" || string(r.Value) != c.value || r.header(HeaderStage) != c.stage || r.header(HeaderCode) != c.code || !strings.Contains(r.header(HeaderMessage), c.message) {
				t.Errorf("%s: got %v", c.name, r)
			}
		}
	}
}

const minimal = "name: p\nsource: {topic: in}\noutput: [{topic: out}]\n"

func TestWithoutATransformTheValueIsTheSameBytes(t *testing.T) {
	value := "{ \"a\" : 1,\t\"a\": 12345678901234567890.0 , \"b\\u0061\":\"\\u0041\" }"
	records, _ := run(t, minimal, value)
	if string(records[0].Value) != value || records[0].Key != nil || records[0].Partition != 1 {
		t.Errorf("got %v", records)
	}
}

func TestTransforms(t *testing.T) {
	for _, c := range []struct{ transform, in, want string }{
		{"set: {b: a + 1}", `{"a":1}`, `{"a":1,"b":2}`},
		{`set: {a: 'event["b"]', b: 'event["a"]'}`, `{"a":1,"b":2.50}`, `{"a":2.50,"b":1}`},
		{"set: {a: b}", `{"a":1}`, `{"a":null}`},
		{"set: {z: 1, y: nil, x: '\"t\"', w: true}", ` { } `, `{"z":1,"y":null,"x":"t","w":true}`},
		{"set: {a: 1}", `{ "x" : [1, 2.0e5] , "n":12345678901234567890123, "s":"\u0041\/" }`, `{"x" : [1, 2.0e5] , "n":12345678901234567890123, "s":"\u0041\/","a":1}`},
		{"set: {x: 1}", `{"a":1,"b":2,"a":3}`, `{"a":1,"b":2,"a":3,"x":1}`},
		{"set: {a: 2}", `{"\u0061":1}`, `{"a":2}`},
		{"set: {b: b}", `{"x":0,"b":1,"b": 2.0,"y":0}`, `{"x":0,"b":2.0,"y":0}`},
		{"set: {p: 'a.b[-1]', q: 'a.c', r: 'a[\"b\"][7]'}", `{"a":{"b":[1, 12345678901234567890.00],"c":{ "d": 1.0}}}`, `{"a":{"b":[1, 12345678901234567890.00],"c":{ "d": 1.0}},"p":12345678901234567890.00,"q":{ "d": 1.0},"r":null}`},
		{"remove: [b]", `{"a":1,  "b":2 , "c":3,	"d":4}`, `{"a":1,"c":3,	"d":4}`},
		{"set: {b: 5}\n  rename: {b: c}", `{"a":1,"c":3}`, `{"a":1,"c":5}`},
		{"set: {c: 6}\n  rename: {b: c}", `{"a":1}`, `{"a":1,"c":6}`},
		{"set: {c: 6}\n  rename: {b: c}", `{"a":1,"b":2}`, `{"a":1,"c":2}`},
		{"set: {\"a\\\"b\": 1}", `{}`, `{"a\"b":1}`},
		{"rename: {a: b}", `{"a":1,"c":2}`, `{"b":1,"c":2}`},
		{"rename: {a: b}", `{"c":2}`, `{"c":2}`},
		{"rename: {a: b}", `{"b":0,"a":1}`, `{"b":1}`},
		{"rename: {a: b}", `{"b":0}`, `{"b":0}`},
		{"rename: {a: b, b: a}", `{"a":1,"b":2}`, `{"b":1,"a":2}`},
		{"set: {a: a * 2}\n  rename: {a: b}\n  keep: [b]", `{"a":4,"c":1}`, `{"b":8}`},
		{"keep: [c, a]", `{"a":1,"b":2,"c":3}`, `{"a":1,"c":3}`},
		{"remove: [a, zz]", `{"a":1,"b":2}`, `{"b":2}`},
		{"set: {copy: address}", `{"address":{"z": 1, "a":1.0}}`, `{"address":{"z": 1, "a":1.0},"copy":{"z": 1, "a":1.0}}`},
		{"set: {n: len(event)}\n  remove: [größe]", `{"größe":1}`, `{"n":1}`},
	} {
		records, _ := run(t, "name: p\nsource: {topic: in}\ntransform:\n  "+c.transform+"\noutput: [{topic: out}]\n", c.in)
		if len(records) != 1 || string(records[0].Value) != c.want {
			t.Errorf("%s of %s: got %v, want %s", c.transform, c.in, records, c.want)
		}
	}
}

func TestRecordsWithManyFieldsAreFoundByName(t *testing.T) {
	object := map[string]int{}
	for i := range 100 {
		object["field"+string(rune('a'+i%26))+string(rune('a'+i/26))] = i
	}
	in, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	records, _ := run(t, "name: p\nsource: {topic: in}\ntransform: {set: {fieldza: fieldab + 1}}\noutput: [{topic: out, key: fieldza}]\n", string(in))
	var out map[string]int
	if err := json.Unmarshal(records[0].Value, &out); err != nil {
		t.Fatal(err)
	}
	if out["fieldza"] != object["fieldab"]+1 || len(out) != 100 || string(records[0].Key) != "27" {
		t.Errorf("got key %s, %v", records[0].Key, out)
	}
}

const routed = `
name: p
source: {topic: in}
transform: {set: {level: upper(level)}}
output:
  - {topic: errors, when: level == "ERROR", key: host}
  - {topic: all}
  - {topic: errors, when: has(page) && page, key: '"page"'}
`

func TestAnEventGoesToEveryOutputWhoseConditionHolds(t *testing.T) {
	records, result := run(t, routed, `{"level":"error","host":"h1","page":true}`, `{"level":"info"}`)
	var got []string
	for _, r := range records {
		got = append(got, r.Topic+"/"+string(r.Key))
	}
	if want := []string{"errors/h1", "all/", "errors/page", "all/"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if (result != model.Result{Consumed: 2, Forwarded: 2, Outputs: 4}) {
		t.Errorf("got %+v", result)
	}
	if topics := processor(t, routed).Topics(); !slices.Equal(topics, []string{"p-dead-letter", "errors", "all"}) {
		t.Errorf("got topics %v", topics)
	}
}

func TestNothingIsProducedWhenALaterConditionFails(t *testing.T) {
	records, result := run(t, routed, `{"level":"error","host":"h1","page":"yes"}`)
	if len(records) != 1 || records[0].Topic != "p-dead-letter" || records[0].header(HeaderStage) != "route" || result.DeadLetters != 1 || result.Outputs != 0 {
		t.Errorf("got %v, %+v", records, result)
	}
}

func TestAnEventThatNoOutputWantsIsFiltered(t *testing.T) {
	records, result := run(t, "name: p\nsource: {topic: in}\noutput: [{topic: out, when: a == 1}]\n", `{"a":2}`)
	if len(records) != 0 || result.Filtered != 1 {
		t.Errorf("got %v, %+v", records, result)
	}
}

func TestHeadersGoAlong(t *testing.T) {
	m := model.Message{Topic: "in", Value: []byte(`{}`), Headers: []model.Header{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a")}}}
	records, _ := runMessages(t, minimal, m)
	if h := records[0].Headers; len(h) != 2 || string(h[0].Value) != "1" || string(h[1].Key) != "a" || h[1].Value != nil {
		t.Errorf("got %s", h)
	}
}

func TestPoliciesDropWhatIsNoEvent(t *testing.T) {
	drop := "name: p\nsource: {topic: in, tombstones: drop, not_objects: drop}\noutput: [{topic: out}]\n"
	messages := []model.Message{{Value: nil, Key: []byte("k")}, {Value: []byte("5")}, {Value: []byte("{")}}
	if records, result := runMessages(t, drop, messages...); result.Filtered != 2 || result.DeadLetters != 1 || len(records) != 1 {
		t.Errorf("got %+v, %v", result, records)
	}
	records, result := runMessages(t, minimal, messages...)
	if result.DeadLetters != 3 || records[0].Value != nil || string(records[0].Key) != "k" || records[0].header(HeaderCode) != CodeNotAnObject {
		t.Errorf("got %+v, %v", result, records)
	}
}

func TestKeysAreTextNumbersBooleansOrNull(t *testing.T) {
	for expr, want := range map[string]string{"k": "<nil>", `'"x"'`: "x", "5": "5", "2.5": "2.5", "true": "true", `'""'`: ""} {
		records, _ := run(t, "name: p\nsource: {topic: in}\noutput: [{topic: out, key: "+expr+"}]\n", `{}`)
		got := "<nil>"
		if records[0].Key != nil {
			got = string(records[0].Key)
		}
		if got != want {
			t.Errorf("key %s: got %q, want %q", expr, got, want)
		}
	}
}

// The hashes are those of the Java client's own test, UtilsTest.testMurmur2.
func TestPartitionsAreThoseOfTheJavaClient(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
		if got := partitionOf([]byte(key), 7); got != want&0x7fffffff%7 {
			t.Errorf("%s: got partition %d", key, got)
		}
	}
}

func TestClonesWorkSideBySide(t *testing.T) {
	p := processor(t, shipped(t))
	done := make(chan string)
	for range 4 {
		c := p.Clone()
		go func() {
			sink := &memory{t: t, topics: c.Topics(), partitions: 4}
			for range 200 {
				c.Process(&batch{messages: []model.Message{{Value: []byte(login)}}}, sink, testNow)
			}
			done <- string(sink.records[199].Value)
		}()
	}
	first := <-done
	for range 3 {
		if got := <-done; got != first {
			t.Errorf("got %s and %s", first, got)
		}
	}
}
