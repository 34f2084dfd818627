package callabsim_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbridge/callab/callabsim"
	"callbridge/internal/testkit"
)

// lived is a call object with the fields that change in its life.
type lived struct {
	ID         string            `json:"id"`
	Status     string            `json:"call_status"`
	Duration   int               `json:"call_duration"`
	Reason     string            `json:"disconnect_reason"`
	Transcript *string           `json:"transcript"`
	Task       string            `json:"agent_task_status"`
	Outcomes   map[string]string `json:"agent_post_call_outcomes"`
	Started    *time.Time        `json:"started_at"`
	Ended      *time.Time        `json:"ended_at"`
	Retry      *time.Time        `json:"retry_at"`
	Created    time.Time         `json:"created_at"`
	Updated    time.Time         `json:"updated_at"`
}

// ask calls the simulator and decodes the data of its answer.
func ask(t *testing.T, sim *callabsim.Sim, method, path, body string, into any) (status string) {
	t.Helper()
	recorded := serve(t.Context(), sim, method, path, body)
	var a answer
	err := json.Unmarshal(recorded.Body.Bytes(), &a)
	if err == nil && a.Status == "ok" {
		err = json.Unmarshal(a.Data, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a.Status
}

// TestFates looks at a call of each fate while the clock runs: queued at 0 s, ringing from
// 1 s, answered at 9 s, over at 69 s.
func TestFates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fate callabsim.Fate
		// looks are the status by seconds since the call was placed; "-" means not found.
		looks map[int]string
		says  string
	}{
		{callabsim.Reached, map[int]string{0: "queued", 1: "ringing", 8: "ringing", 9: "in-progress", 68: "in-progress", 69: "completed", 9000: "completed"}, "Yes, go ahead"},
		{callabsim.Quoted, map[int]string{9: "in-progress", 69: "completed"}, "Yes, go ahead"},
		{callabsim.Voicemail, map[int]string{9: "in-progress", 69: "completed"}, "leave a message"},
		{callabsim.NoAnswer, map[int]string{9: "ringing", 16: "ringing", 17: "no-answer"}, ""},
		{callabsim.Busy, map[int]string{0: "queued", 1: "busy"}, ""},
		{callabsim.Declined, map[int]string{8: "ringing", 9: "declined"}, ""},
		{callabsim.Failed, map[int]string{0: "queued", 1: "failed"}, ""},
		{callabsim.Stuck, map[int]string{8: "ringing", 9: "in-progress", 1900000: "in-progress"}, ""},
		{callabsim.Regress, map[int]string{69: "completed", 98: "completed", 99: "ringing", 188: "ringing", 189: "completed"}, "Yes, go ahead"},
		{callabsim.LateAnalysis, map[int]string{69: "completed", 248: "completed", 249: "completed"}, "Yes, go ahead"},
		{callabsim.RetryAt, map[int]string{16: "ringing", 17: "no-answer"}, ""},
		{callabsim.UnknownWord, map[int]string{68: "in-progress", 69: "wrapped-up"}, "Yes, go ahead"},
		{callabsim.Gone, map[int]string{0: "queued", 1: "-", 69: "-"}, ""},
		{callabsim.Screening, map[int]string{9: "in-progress", 69: "completed"}, "record your name"},
		{callabsim.OptOut, map[int]string{69: "completed"}, "Don't call me again"},
	} {
		t.Run(string(c.fate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sim := callabsim.New(callabsim.Options{Life: &callabsim.Life{Fates: map[string]callabsim.Fate{callTo: c.fate}}})
				var call lived
				ask(t, sim, "POST", "/v1/calls", createBody(callTo), &call)
				placed, last := time.Now(), call
				for second := 0; second <= 1900000; second++ {
					want, looked := c.looks[second]
					if !looked {
						continue
					}
					time.Sleep(time.Until(placed.Add(time.Duration(second) * time.Second)))
					var listed []lived
					ask(t, sim, "GET", "/v1/calls/query?sort_column=updated_at&order=desc", "", &listed)
					found := ask(t, sim, "GET", "/v1/calls/"+call.ID, "", &last) == "ok"
					if got := fmt.Sprint(found, len(listed)); want == "-" && got != "false 0" || want != "-" && (got != "true 1" || last.Status != want || listed[0].Status != want) {
						t.Errorf("after %d s: %s, %+v, want %s", second, got, last, want)
					}
					if last.Updated.After(time.Now()) {
						t.Errorf("after %d s: updated in the future", second)
					}
				}
				if (c.says == "") != (last.Transcript == nil) || c.says != "" && !strings.Contains(*last.Transcript, c.says) {
					t.Errorf("transcript of %+v", last)
				}
			})
		})
	}
}

func TestFatesHaveTheirFields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := callabsim.New(callabsim.Options{MagicNumbers: true, Life: &callabsim.Life{}})
		calls := map[callabsim.Fate]string{}
		for i, fate := range callabsim.Fates() {
			var call lived
			ask(t, sim, "POST", "/v1/calls", createBody(fmt.Sprintf("+12025550%d", 170+i)), &call)
			calls[fate] = call.ID
		}
		look := func(fate callabsim.Fate) (call lived) {
			ask(t, sim, "GET", "/v1/calls/"+calls[fate], "", &call)
			return call
		}
		time.Sleep(2 * time.Minute)
		if c := look(callabsim.Declined); c.Started == nil || !c.Started.Equal(*c.Ended) || c.Duration != 0 {
			t.Errorf("declined: %+v", c)
		}
		if c := look(callabsim.NoAnswer); c.Started != nil || c.Ended == nil || c.Retry != nil || c.Duration != 0 {
			t.Errorf("no answer: %+v", c)
		}
		if c := look(callabsim.RetryAt); c.Retry == nil || c.Retry.Sub(*c.Ended) != time.Hour {
			t.Errorf("retry at: %+v", c)
		}
		if c := look(callabsim.Quoted); c.Outcomes["answered_by"] != "person" || c.Outcomes["callback_at"] == "" {
			t.Errorf("quoted: %+v", c)
		}
		if c := look(callabsim.Voicemail); c.Task != "completed" || c.Outcomes["answered_by"] != "" || c.Duration != 60 {
			t.Errorf("voicemail: %+v", c)
		}
		before := look(callabsim.LateAnalysis)
		time.Sleep(3 * time.Minute)
		after := look(callabsim.LateAnalysis)
		if before.Task != "" || before.Outcomes["interested"] != "" || after.Task == "" || !after.Updated.After(before.Updated) {
			t.Errorf("late analysis: %+v, then %+v", before, after)
		}
	})
}

func TestScriptAndSpeed(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{Life: &callabsim.Life{
		Script: []callabsim.Fate{callabsim.Busy, callabsim.NoAnswer}, Default: callabsim.Stuck, Speed: 60,
	}})
	ids := []string{f.place(callTo).ID, f.place(callTo).ID, f.place(callTo).ID}
	f.sim.SetFate(callTo, callabsim.Reached)
	ids = append(ids, f.place(callTo).ID)
	f.advance(2 * time.Second) // two minutes of a life
	for i, want := range []string{"busy", "no-answer", "in-progress", "completed"} {
		if got := f.get(ids[i]).CallStatus; got != want {
			t.Errorf("call %d is %s, want %s", i, got, want)
		}
	}
	if c := f.get(ids[3]); c.CallDuration != 60 {
		t.Errorf("a minute of talk is %d s", c.CallDuration)
	}
}

func TestLifeNeedsASpeed(t *testing.T) {
	t.Parallel()
	for speed, want := range map[float64]bool{0: false, -1: false, math.Inf(1): false, math.NaN(): false, 0.5: true, 10: true} {
		if life := callabsim.LifeAt(speed); (life != nil) != want || want && life.Speed != speed {
			t.Errorf("speed %v: %+v", speed, life)
		}
	}
}

func TestFatesAreSetOverHTTP(t *testing.T) {
	t.Parallel()
	f := setup(t, callabsim.Options{Life: &callabsim.Life{}})
	if a, err := f.do("POST", "/sim/fates", `{"call_to":"`+callTo+`","fate":"busy"}`); err != nil || a.Status != "ok" {
		t.Fatalf("%+v: %v", a, err)
	}
	id := f.place(callTo).ID
	f.advance(time.Minute)
	if c := f.get(id); c.CallStatus != "busy" {
		t.Errorf("%+v", c)
	}
	without := setup(t, callabsim.Options{})
	for _, row := range []struct {
		f    *fixture
		body string
	}{
		{f, `{"call_to":"+12025550142","fate":"eaten"}`}, {f, `{"fate":"busy"}`}, {f, `busy`},
		{without, `{"call_to":"+12025550142","fate":"busy"}`},
	} {
		if a, err := row.f.do("POST", "/sim/fates", row.body); err != nil || a.code != 400 {
			t.Errorf("%s: %+v: %v", row.body, a, err)
		}
	}
}

func TestListIsSortedByTheLastUpdate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		query   string
		ignored bool
		want    string
	}{
		{"", false, "72 71 70"},
		{"order=asc", false, "70 71 72"},
		{"sort_column=updated_at", false, "70 72 71"},
		{"sort_column=updated_at&order=asc", false, "71 72 70"},
		{"sort_column=updated_at&order=desc", true, "72 71 70"},
	} {
		f := setup(t, callabsim.Options{IgnoresSort: row.ignored})
		for i, update := range []time.Duration{3, 1, 2} {
			created := start.Add(time.Duration(i-10) * time.Hour)
			f.sim.AddCalls(callabsim.Call{CallTo: fmt.Sprintf("+120255501%d", 70+i), CreatedAt: created, UpdatedAt: start.Add(update * time.Minute)})
		}
		if got := f.query(row.query); got != row.want {
			t.Errorf("%q: %s, want %s", row.query, got, row.want)
		}
	}
	f := setup(t, callabsim.Options{})
	for _, query := range []string{"sort_column=cost", "order=down", "status=busy"} {
		if a, err := f.do("GET", "/v1/calls/query?"+query, ""); err != nil || a.Status != "error" {
			t.Errorf("%s: %+v: %v", query, a, err)
		}
	}
}

// TestThePageNamesEachFate compares docs/simulator.md with the magic numbers.
func TestThePageNamesEachFate(t *testing.T) {
	t.Parallel()
	page := testkit.Read(t, "docs/simulator.md")
	for i, fate := range callabsim.Fates() {
		pattern := fmt.Sprintf("(?m)^\\| `\\+12025550%d`.*\\| `%s` \\|", 170+i, fate)
		if !regexp.MustCompile(pattern).MatchString(page) {
			t.Errorf("docs/simulator.md has no row for %s", pattern)
		}
	}
}
