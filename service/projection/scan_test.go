package projection

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// samples are whole events and broken ones; the tests also cut each of them at every byte.
var samples = []string{
	`{}`, ` { } `, `{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`, `{"user_id": "x", "ip": "1.2.3.4"}`, login, compactLogin,
	`{"ip":"a","ip":"b"}`, `{"x":1,"ip":1,"y":2,"ip":{"z":3},"x":4,"y":5,"ip":"last"}`, `{"ip":1,"ip":null,"x":0}`,
	`{"\u0069p":"escaped key"}`, `{"i\p":1}`, `{"\u0069\u0070":1,"ip":2}`, `{"":1,"\u00e9":2,"é":3}`, `{"ip\u0000":1}`, `{"\ud83d\ude00":1,"😀":2}`,
	`{"ip":"\ud83d\ude00\u00e9\ud800"}`, `{"ip":"\"\\\/\b\f\n\r\t"}`, `{"ip":"\a"}`, `{"ip":"\u12"}`, `{"ip":"\u12g4"}`, `{"ip":"\uD8zz"}`, `{"ip":"\`, `{"ip":"\u`,
	`{"timestamp": -0.5e+10}`, `{"timestamp": 01}`, `{"timestamp": -01}`, `{"timestamp": -}`, `{"timestamp": 1.}`, `{"timestamp": .5}`, `{"timestamp":1e}`, `{"timestamp":1e+}`,
	`{"timestamp": 12345678901234567890123456789}`, `{"timestamp":1e999999}`, `{"timestamp":-0}`, `{"timestamp":0}`, `{"timestamp":0.0}`, `{"timestamp":1E-7,"a":2e5}`, `{"a":+1}`, `{"a":1-}`,
	`{"timestamp":123456789012345.123456789012345e123456789012345}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":1 2}`, `{"a":-Infinity}`, `1234567:`, `{"a":1/}`,
	`{"locale": {"a":[1,2,{"b":null}],"c":"}"}, "ip": [true,false,null]}`, `[[[[1]]]]`, `[]`, ` [ ] `, `[{},[],{"a":[]}]`, `[{"a":[]},{]`, `[{]}`, `{"a":[}]}`, `[1 , 2 ,3]`, `{"a":{"b":{}}}`,
	`{"a":{"b" : 1 , "c":2}}`, `{"a":{"b":1,}}`, `{"a":{,}}`, `{"a":{"b"}}`, `{"a":{1:2}}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":{"b":1 "c":2}}`, `{"a":{"b" 1}}`,
	`"abc\n"`, `"abc`, `123`, `-`, `-1`, `1.5`, `tru`, `true `, ` null`, `false`, `falsy`, `nul`, `truefalse`, `truetrue`, ``, ` `, "\x00", `{"a":tru}`, `{"a":nulll}`, `{"a":null}`, `{"a":false,"b":true}`, `{"a":falsx}`,
	`{"a" : 1 , "b" : [ ] , "c" : { } }`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, `[1,]`, `[,1]`, `{"a"::1}`, `{"a":1,,"b":2}`, `{"a":1;"b":2}`, `{"a" 1}`, `{1:2}`, `{"a":1]`, `{]`, `[}`,
	"{\"a\":\"\x01\"}", "{\"a\":\"\x1f\x20\"}", "{\"a\x00\":1}", "{\"a\":\"\x7f\x80\xff\"}", "{\"\xffip\":\"\xff\"}", "{\"\xff\":1}", "{\"\uFFFD\":1,\"\xff\":2}", "{\"a\":\"\u2028\"}",
	"{\n\t\"ip\"\r\n:\t1 \n,\r\"a\" :2\t}\n", "{\v}", "{\"a\":1\f}", "{\u00a0}", "\xef\xbb\xbf{}", `{} x`, `{}{}`, `{}}`, `{} `, `// {}`, `{"a":1/**/}`,
	`{"ip":"` + strings.Repeat("x", 30) + `"}`, `{"` + strings.Repeat("k", 40) + `":1}`, `{"abcdefgh":1,"abcdefghi":2,"abcdefghabcdefgh":3,"abcdefghZabcdefgh":4,"abcdefghYabcdefgh":5}`,
	`{"a":"` + strings.Repeat(`\n`, 20) + `", "b":"xxxxxxxxxxxxxxxx\"xxxxxxxxxxxxxxxx"}`,
	strings.Repeat("[", 70) + strings.Repeat("]", 70), strings.Repeat(`{"a":[`, 70) + `1` + strings.Repeat("]}", 70),
}

var wanted = []string{
	"user_id", "app_version", "device_type", "ip", "locale", "timestamp", "", "é", "😀", "\uFFFD", "\xff",
	"abcdefgh", "abcdefghi", "abcdefghabcdefgh", "abcdefghZabcdefgh", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
}

func TestScanAgreesWithEncodingJSONWhereverItIsCut(t *testing.T) {
	for _, names := range [][]string{wanted, logins, {}, {"a"}, {"b", "ip", ""}} {
		p, e := New(names), new(Event)
		for _, sample := range samples {
			for cut := range len(sample) + 1 {
				event := slices.Clip([]byte(sample[:cut])) // nothing behind it may be read
				if d := disagreement(p, names, e, event); d != "" {
					t.Errorf("%q: %s", event, d)
					continue
				}
				if verdictOf(event) != IsObject {
					continue
				}
				if want := membersOf(t, names, event); !slices.Equal(e.Members, want) {
					t.Errorf("%q: members %v, want %v", event, e.Members, want)
				}
			}
		}
	}
}

func TestEachByteAtEachPlaceAgreesWithEncodingJSON(t *testing.T) {
	p, e := New(wanted), new(Event)
	for _, sample := range []string{login, `{"ip":[1,"a\u00e9",{"b":null}],"timestamp":-1.5e+3, "x" : true}`} {
		for i := range sample {
			for c := range 256 {
				event := []byte(sample)
				event[i] = byte(c)
				if d := disagreement(p, wanted, e, event); d != "" {
					t.Fatalf("%q: %s", event, d)
				}
			}
		}
	}
}

func TestScanFindsFieldsAndMembers(t *testing.T) {
	e := new(Event)
	event := []byte(`{ "x":1 , "y": [2], "ip":"old", "z":{}, "ip" :"new","w":0,"a\u0062":1.5}`)
	if v := New([]string{"ab", "none", "ip"}).Scan(event, e); v != IsObject {
		t.Fatalf("verdict %d", v)
	}
	var got []string
	for _, f := range e.Fields {
		got = append(got, fmt.Sprintf("%d %s", f.Kind, event[f.Start:f.End]))
	}
	for _, m := range e.Members {
		got = append(got, fmt.Sprintf("%d %s", m.Field, event[m.Start:m.End]))
	}
	want := []string{
		fmt.Sprint(Number, " 1.5"), fmt.Sprint(Missing, " "), fmt.Sprint(Text, ` "new"`),
		`-1 "x":1 , "y": [2]`, `2 "ip":"old"`, `-1 "z":{}`, `-1 "w":0`, `0 "a\u0062":1.5`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNestingEndsWhereEncodingJSONEndsIt(t *testing.T) {
	p, e := New(logins), new(Event)
	for _, depth := range []int{63, 64, 65, 9_999, 10_000, 10_001, 1_000_000} {
		for _, event := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat("[", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			`{"ip":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}",
			strings.Repeat(` { "a" : [ `, depth/2) + strings.Repeat(" ] } ", depth/2),
			`[` + strings.Repeat("[],", depth) + `{}]`,
		} {
			if d := disagreement(p, logins, e, []byte(event)); d != "" {
				t.Errorf("%d levels of %.12s: %s", depth, event, d)
			}
		}
	}
}

func TestLongValues(t *testing.T) {
	const size = 10 << 20
	p, e := New(logins), new(Event)
	for _, value := range []string{
		`"` + strings.Repeat("x", size) + `"`, `"` + strings.Repeat(`\n`, size/2) + `"`, `"` + strings.Repeat("é", size/2) + `"`,
		strings.Repeat("7", size), "1." + strings.Repeat("0", size), "[" + strings.Repeat("1,", size/2) + "1]", strings.Repeat(" ", size) + "1",
	} {
		event := []byte(`{"x":1,"ip": ` + value + `,"locale":"RU"}`)
		if v := p.Scan(event, e); v != IsObject {
			t.Fatalf("%.20s: verdict %d", value, v)
		}
		trimmed := strings.TrimLeft(value, " ")
		if f := e.Fields[3]; string(event[f.Start:f.End]) != trimmed || f.Kind != kindOf([]byte(trimmed)) {
			t.Errorf("%.20s: not found whole", value)
		}
		if p.Scan(event[:len(event)-20], e) != Invalid {
			t.Errorf("%.20s: accepted without its end", value)
		}
	}
	key := strings.Repeat(`\u0061`, size/6)
	if d := disagreement(p, logins, e, []byte(`{"`+key+`":1,"ip":2}`)); d != "" {
		t.Error("long key: ", d)
	}
	if cap(e.decoded) > 1<<10 {
		t.Errorf("a long key leaves %d bytes behind", cap(e.decoded))
	}
}

func TestManyMembers(t *testing.T) {
	var names []string
	var event bytes.Buffer
	for i := range 3000 {
		names = append(names, fmt.Sprintf("attribute_%04d_of_the_event", i*2))
		fmt.Fprintf(&event, `,"attribute_%04d_of_the_event": %d`, i*3, i)
	}
	json := append(bytes.Replace(event.Bytes(), []byte(","), []byte("{"), 1), '}')
	p, e := New(names), new(Event)
	if d := disagreement(p, names, e, json); d != "" {
		t.Error(d)
	}
	if want := membersOf(t, names, json); !slices.Equal(e.Members, want) {
		t.Error("members differ")
	}
}

func TestNamesGivenTwiceAreFoundOnce(t *testing.T) {
	e := new(Event)
	New([]string{"ip", "ip"}).Scan([]byte(`{"ip":1}`), e)
	if e.Fields[0].Kind != Int || e.Fields[1].Kind != Missing {
		t.Errorf("fields %v", e.Fields)
	}
}

func TestAnEventIsGoodForAnyProjection(t *testing.T) {
	e := new(Event)
	for _, names := range [][]string{logins, {"ip"}, {}, wanted, {"x"}} {
		p := New(names)
		for _, sample := range samples {
			if d := disagreement(p, names, e, []byte(sample)); d != "" {
				t.Errorf("%q: %s", sample, d)
			}
		}
	}
}

func TestGoroutinesShareAProjection(t *testing.T) {
	p := New(wanted)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			e := new(Event)
			for _, sample := range samples {
				if d := disagreement(p, wanted, e, []byte(sample)); d != "" {
					t.Errorf("%q: %s", sample, d)
				}
			}
		})
	}
	workers.Wait()
}

func TestScanAllocatesNothing(t *testing.T) {
	p, e := New(wanted), new(Event)
	events := [][]byte{[]byte(login)}
	for _, sample := range samples {
		events = append(events, []byte(sample))
	}
	all := func() {
		for _, event := range events {
			p.Scan(event, e)
		}
	}
	all()
	if n := testing.AllocsPerRun(100, all); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestInputIsLeftAlone(t *testing.T) {
	p, e := New(wanted), new(Event)
	for _, sample := range samples {
		event := []byte(sample)
		p.Scan(event, e)
		if string(event) != sample {
			t.Errorf("%q became %q", sample, event)
		}
	}
}
