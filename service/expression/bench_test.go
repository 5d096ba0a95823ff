package expression

import (
	"testing"
)

const login = `{"user_id":"424cdd21-063a-43a7-b91b-7ca1a833afae","app_version":"2.3.0","device_type":"iOS","ip":"199.172.111.135","locale":"RU","device_id":"593-47-5928","timestamp":1694479551}`

// BenchmarkAppendJSON is what each expression of the shipped pipeline costs, from the spans of its fields to its JSON.
func BenchmarkAppendJSON(b *testing.B) {
	for _, text := range []string{"device_type", "lower(device_type)", "mask_ip(ip)", "hash(device_id)", "rfc3339(timestamp)", "now()"} {
		b.Run(text, func(b *testing.B) {
			p, env, err := compiled(library(b), text, login)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			dst := make([]byte, 0, 256)
			for b.Loop() {
				env.buf = env.buf[:0]
				if dst, err = p.AppendJSON(env, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRunBool(b *testing.B) {
	p, env, err := compiled(library(b), `user_id not in [nil, ""] && device_type in ["android", "iOS"]`, login)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := p.RunBool(env); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkRunTime(b *testing.B) {
	p, env, err := compiled(library(b), "timestamp", login)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.RunTime(env); err != nil {
			b.Fatal(err)
		}
	}
}
