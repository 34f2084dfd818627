package outcome_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"callbridge/follow/outcome"
	"callbridge/internal/testkit"
)

// evaluate returns the report of a call object with a few fields, by the rules of
// callbridge.
func evaluate(t testing.TB, object string) outcome.Report {
	t.Helper()
	if !json.Valid([]byte(object)) {
		t.Fatalf("not JSON: %s", object)
	}
	return outcome.Default().Evaluate([]byte(object))
}

func TestStatusIsFinalOnlyIfItsWordIsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status       string
		known, final bool
	}{
		{`"completed"`, true, true}, {`"COMPLETED"`, true, true}, {`" Completed\n"`, true, true},
		{`"no-answer"`, true, true}, {`"No Answer"`, true, true}, {`"noAnswer"`, true, true}, {`"NO_ANSWER"`, true, true},
		{`"in-progress"`, true, false}, {`"In Progress"`, true, false}, {`"inProgress"`, true, false}, {`"Ringing"`, true, false},
		{`"wrapped_up"`, false, false}, {`"completed?no"`, false, false}, {`"not completed"`, false, false}, {`""`, false, false},
		{`null`, false, false}, {`true`, false, false}, {`["completed"]`, false, false}, {`{"value":"completed"}`, false, false},
		{`"completed                                                                  not"`, false, false},
		{`"ｃｏｍｐｌｅｔｅｄ"`, true, true}, {`"сompleted"`, false, false}, // the last one begins with a Cyrillic letter
	} {
		report := evaluate(t, `{"call_status": `+c.status+`, "ended_at": "2026-11-20T15:00:00Z"}`)
		if report.Status.Known != c.known || report.Final() != c.final {
			t.Errorf("%s: known %v, final %v", c.status, report.Status.Known, report.Final())
		}
	}
}

func TestOptOutIsFoundWhereverItIs(t *testing.T) {
	t.Parallel()
	const yes, no, unclear = outcome.Yes, outcome.No, outcome.Unclear
	for _, c := range []struct{ name, fields, want string }{
		{"nothing", `"notes": "opt out"`, no},
		{"true", `"agent_post_call_outcomes": {"opt_out": true}`, yes},
		{"yes in another case", `"agent_post_call_outcomes": {"Opt-Out": " YES "}`, yes},
		{"a number", `"agent_post_call_outcomes": {"opt_out": 1}`, yes},
		{"false", `"agent_post_call_outcomes": {"opt_out": false}`, no},
		{"not mentioned", `"agent_post_call_outcomes": {"opt_out": "Not mentioned"}`, no},
		{"null", `"agent_post_call_outcomes": {"opt_out": null}`, no},
		{"another word", `"agent_post_call_outcomes": {"opt_out": "perhaps"}`, unclear},
		{"a sentence", `"agent_post_call_outcomes": {"opt_out": "She asked us to take her number out of everything that we have, today."}`, unclear},
		{"a sentence with a phrase", `"agent_post_call_outcomes": {"opt_out": "She said: please remove me from your list, and hung up at once."}`, yes},
		{"do_not_call", `"agent_post_call_outcomes": {"do_not_call": "y"}`, yes},
		{"a disposition", `"agent_post_call_outcomes": {"disposition": "CUSTOM_DNC"}`, yes},
		{"a disposition that denies", `"agent_post_call_outcomes": {"disposition": "not opted out"}`, no},
		{"consent false", `"agent_post_call_outcomes": {"consent": false}`, no},
		{"the task's status", `"agent_task_status": "do-not-call"`, yes},
		{"the reason", `"disconnect_reason": "customer_opted_out"`, yes},
		{"the person's word", `"transcript": "Agent: Hello?\nUser: Stop calling me!"`, yes},
		{"the word outweighs a no", `"agent_post_call_outcomes": {"opt_out": "no"}, "transcript": "User: Don’t call me again."`, yes},
		{"a machine's greeting", `"transcript": "User: Leave a message after the tone. If you sell something, do not call again."`, yes},
		{"without a label", `"transcript": "hello, never call me"`, yes},
		{"the agent's promise", `"transcript": "Agent: I have removed you from the list."`, yes},
		{"the agent's question", `"transcript": "Agent: Do you want me to stop calling?"`, no},
		{"a wish to be called", `"transcript": "User: Please call me again tomorrow."`, no},
		{"French", `"transcript": "User: Ne m'appelez plus, s'il vous plaît."`, yes},
		{"Spanish", `"transcript": "User: Quíteme de su lista."`, yes},
		{"structured", `"transcript_object": [{"role": "user", "content": "Take me off your list."}]`, yes},
	} {
		for _, status := range []string{"completed", "in-progress", "wrapped_up"} {
			report := evaluate(t, fmt.Sprintf(`{"call_status": %q, %s}`, status, c.fields))
			if report.OptOut.Answer != c.want {
				t.Errorf("%s, %s: %s", c.name, status, testkit.JSON(t, report.OptOut))
			}
		}
	}
}

func TestCallbackNeedsATimeWithItsOffset(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`"2026-11-23T15:00:00Z"`:       "2026-11-23T15:00:00Z",
		`"2026-11-23T15:00:00.5Z"`:     "2026-11-23T15:00:00Z",
		`"2026-11-23T15:00:00-05:00"`:  "2026-11-23T20:00:00Z",
		`"2026-11-23T15:00-05:00"`:     "2026-11-23T20:00:00Z",
		`" 2026-11-23 15:00:00-05:00"`: "2026-11-23T20:00:00Z",
		`"2026-11-23T15:00:00"`:        "", `"2026-11-23"`: "", `"tomorrow at three"`: "", `"15:00"`: "", `"11/23/2026 3 PM"`: "",
		`1795446000`: "", `"1795446000"`: "", `{"value": "2026-11-23T15:00:00Z"}`: "2026-11-23T15:00:00Z", `["2026-11-23T15:00:00Z"]`: "",
		`"2026-11-20T14:59:00Z"`: "", `"2028-11-23T15:00:00Z"`: "", `"0001-01-01T00:00:00Z"`: "", `"2026-02-30T15:00:00Z"`: "", `""`: "", `null`: "",
	} {
		report := evaluate(t, `{"call_status": "completed", "ended_at": "2026-11-20T15:00:00Z", "agent_post_call_outcomes": {"callback_at": `+value+`}}`)
		got := ""
		if at := report.CallbackAt.At; at != nil {
			got = at.UTC().Format("2006-01-02T15:04:05Z")
		}
		if got != want || (got != "") != (report.CallbackAt.Kind == outcome.Quoted) {
			t.Errorf("%s: %q, want %q: %s", value, got, want, testkit.JSON(t, report.CallbackAt))
		}
	}
}

// TestSpeech has the first turns of a call that has ended and says nothing else.
func TestSpeech(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, transcript string
		who              string
		class            outcome.Class
	}{
		{"a word", "User: Hello?", outcome.Person, outcome.Reached},
		{"time before the label", "[00:02] Agent: Hello?\n[00:04] User: Yes?", outcome.Person, outcome.Reached},
		{"markdown", "**Agent:** Hello?\n**User:** Yes?", outcome.Person, outcome.Reached},
		{"no space", "Agent:Hello?\nUser:Yes?", outcome.Person, outcome.Reached},
		{"several lines", "User:\nHello\nthere", outcome.Person, outcome.Reached},
		{"an address in a turn", "Agent: Hello\nsee https://example.com\nUser: Fine", outcome.Person, outcome.Reached},
		{"laughs", "User: (laughs) no", outcome.Person, outcome.Reached},
		{"the agent alone", "Agent: Hello?\nAgent: Goodbye.", outcome.Unknown, outcome.Unclassified},
		{"a note", "Agent: Hello?\nSystem: call ended", outcome.Unknown, outcome.Unclassified},
		{"an empty turn", "User:\nAgent: Hello?", outcome.Unknown, outcome.Unclassified},
		{"a sound", "User: [beep]\nUser: (music playing)", outcome.Unknown, outcome.Unclassified},
		{"not understood", "User: [inaudible]", outcome.Unknown, outcome.Unclassified},
		{"an unknown label", "Speaker 1: Hello\nSpeaker 2: Yes?", outcome.Unknown, outcome.Unclassified},
		{"no label", "Hello? Yes, speaking.", outcome.Unknown, outcome.Unclassified},
		{"a greeting", "User: You have reached Ada. I can't take your call. Please leave a message.", outcome.Machine, outcome.Voicemail},
		{"a greeting that the agent interrupts", "User: Hi, this is Ada.\nAgent: Hello Ada!\nUser: Leave your name and number after the beep.", outcome.Machine, outcome.Unclassified},
		{"a greeting after a conversation", "User: Hello?\nAgent: Hi\nUser: Who?\nAgent: Ava\nUser: OK\nAgent: Bye\nUser: Record your message at the tone.", outcome.Person, outcome.Reached},
		{"a secretary", "User: Example, hello. He is not available right now, would you like to leave a message?", outcome.Unknown, outcome.Unclassified},
		{"a secretary without a question", "User: He is not available right now. Please leave your name and number with me.", outcome.Unknown, outcome.Unclassified},
		{"a spouse", "Agent: Hello, is Ada there?\nUser: She can't come to the phone, her mailbox is full, call later.", outcome.Unknown, outcome.Unclassified},
		{"two lines of a greeting", "User: You've reached Example.\nAgent: Hello.", outcome.Unknown, outcome.Unclassified},
		{"French", "User: Bonjour, vous êtes sur la messagerie vocale de Léa. Laissez un message après le bip sonore.", outcome.Machine, outcome.Voicemail},
		{"Spanish", "User: Deje su mensaje después del tono.", outcome.Machine, outcome.Voicemail},
		{"German carrier", "User: Bitte hinterlassen Sie eine Nachricht nach dem Signalton.", outcome.Machine, outcome.Voicemail},
		{"a voicemail that thanks", "User: Record your message at the tone.\nAgent: Hello.\nUser: Thank you. Goodbye.", outcome.Machine, outcome.Voicemail},
		{"a voicemail, then words", "User: Record your message at the tone.\nAgent: Hello.\nUser: Take it easy.", outcome.Machine, outcome.Unclassified},
		{"screening", "User: Hi, if you record your name and reason for calling, I’ll see if this person is available.", outcome.Screening, outcome.Screened},
		{"screening, then voicemail", "User: This person is using a screening service.\nAgent: Ava of Example.\nUser: Record your message at the tone.", outcome.Machine, outcome.Voicemail},
		{"a menu", "User: Press 1 for sales.", outcome.Menu, outcome.Unclassified},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			object, err := json.Marshal(map[string]any{"call_status": "completed", "transcript": c.transcript})
			if err != nil {
				t.Fatal(err)
			}
			report := outcome.Default().Evaluate(object)
			if report.Class != c.class || report.AnsweredBy.Answer != c.who {
				t.Errorf("%s: %s", report.Class, testkit.JSON(t, report))
			}
		})
	}
}
