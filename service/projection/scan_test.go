package projection

import "testing"

var logins = []string{"user_id", "app_version", "device_type", "ip", "locale", "device_id", "timestamp"}

const login = `{"user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae", "app_version": "2.3.0", "device_type": "android", "ip": "199.172.111.135", "locale": "RU", "device_id": "593-47-5928", "timestamp": 1694479551}`

func BenchmarkScan7Fields(b *testing.B) {
	p, e := New(logins), new(Event)
	json := []byte(login)
	b.SetBytes(int64(len(json)))
	for b.Loop() {
		if p.Scan(json, e) != IsObject {
			b.Fatal("refused")
		}
	}
}
