package aggregate

import "testing"

func TestAHighlightIsALineForPeople(t *testing.T) {
	h := Highlight{Group: []byte(`"android","R\u0001U"`), Measures: []byte(`"users":97,"logins":123,"versions":[{"value":"2.3.0","count":120}],"last":"a, b","p":null`)}
	if got, want := h.String(), "android, R\x01U: users 97, logins 123, last a, b, p null"; got != want {
		t.Fatalf("got %q", got)
	}
	if got, want := (Highlight{Measures: []byte(`"n":1`)}).String(), "all: n 1"; got != want {
		t.Fatalf("got %q", got)
	}
}
