package lookup

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"callbridge/mapping"
)

func TestVersionsAreRememberedWithinBounds(t *testing.T) {
	t.Parallel()
	v := newVersions()
	ask := func(object, version string) *mapping.LookupRequest {
		return &mapping.LookupRequest{Object: object, Version: version}
	}
	if !v.advance(ask("first", "5"), "changed") || v.advance(ask("first", "4"), "changed") {
		t.Error("an older version takes the place of a newer one")
	}
	if !v.superseded(ask("first", "4"), "changed") || v.superseded(ask("first", "5"), "changed") {
		t.Error("the newest version is not 5")
	}
	for i := range maxVersions {
		v.advance(ask(strconv.Itoa(i), "1"), "changed")
	}
	if n := len(v.newest); n != maxVersions {
		t.Errorf("%d versions are kept, want %d", n, maxVersions)
	}
	if v.superseded(ask("first", "4"), "changed") {
		t.Error("the oldest is not forgotten")
	}
	if v.superseded(ask("1", ""), "changed") {
		t.Error("an event without a version is superseded")
	}
}

func TestAnswersAreKeptWithinBoundsAndTime(t *testing.T) {
	t.Parallel()
	a := newAnswers()
	large := answered{body: bytes.Repeat([]byte{'x'}, maxAnswerBytes/4), asked: noon}
	for i := range 8 {
		a.put(strconv.Itoa(i), large)
	}
	if a.bytes > maxAnswerBytes || len(a.kept) != 4 {
		t.Errorf("%d bytes of %d answers are kept", a.bytes, len(a.kept))
	}
	if _, ok := a.get("0", noon.Add(-time.Second)); !ok {
		t.Error("an event from before the question gets no answer")
	}
	if _, ok := a.get("0", noon); ok {
		t.Error("an event from after the question gets an answer that is too old")
	}
	a.put("later", answered{body: []byte("{}"), asked: noon.Add(time.Hour)})
	if a.bytes != 2 || len(a.kept) != 1 {
		t.Errorf("%d bytes of %d answers are kept, want 2 of 1", a.bytes, len(a.kept))
	}
}

func TestOneAsksAndTheOthersWait(t *testing.T) {
	t.Parallel()
	a := newAnswers()
	if !a.begin("x") || a.begin("x") || !a.begin("y") {
		t.Error("two ask the same at the same time")
	}
	a.end("x")
	if !a.begin("x") {
		t.Error("nobody may ask any more")
	}
}
