package main

import (
	"context"
	"fmt"
	"time"
)

// accepting compares systems that keep webhooks with the least that any would
// have to do.
func (c comparison) accepting(ctx context.Context, t *table) error {
	all := []*contender[accepting]{{system: reference("gin", "bare Gin + HMAC"), sync: unknown}}
	for _, sync := range []string{syncInterval, syncAlways} {
		publish := &contender[accepting]{system: reference("publish", "Gin + HMAC + one JetStream publish"), sync: sync}
		all = append(all, publish)
		others := append([]system{reference("packed", "Gin + HMAC + publishes shared"), c.callbridge}, c.bentos()...)
		for _, s := range others {
			all = append(all, &contender[accepting]{system: s, sync: sync, beside: publish})
		}
	}
	if err := inTurn(ctx, c.rounds, all, c.accept); err != nil {
		return err
	}
	for _, one := range all {
		shown := middle(one.rounds, func(a accepting) float64 { return a.perSecond })
		shown.keeping = keeping{nothing: shown.nothing}
		for _, r := range one.rounds {
			shown.lost, shown.doubled = shown.lost+r.lost, shown.doubled+r.doubled
		}
		t.add(one.name, one.sync, perSecond(shown.perSecond), ofBeside(one), milliseconds(shown.p50), milliseconds(shown.p99),
			processor(shown.cpu, seconds), megabytes(shown.memory), shown.keeping.String())
	}
	return nil
}

// ofBeside compares round by round.
func ofBeside(one *contender[accepting]) string {
	if one.beside == nil {
		return unknown
	}
	var all []float64
	for i, r := range one.rounds {
		all = append(all, r.perSecond/one.beside.rounds[i].perSecond)
	}
	return ratio(quantile(all, .5), 1)
}

func (c comparison) calling(ctx context.Context, t *table) error {
	var all []*contender[calling]
	for _, sync := range []string{syncInterval, syncAlways} {
		for _, s := range append([]system{c.callbridge}, c.bentos()...) {
			all = append(all, &contender[calling]{system: s, sync: sync})
		}
	}
	if err := inTurn(ctx, c.rounds, all, c.call); err != nil {
		return err
	}
	for _, one := range all {
		shown := middle(one.rounds, func(c calling) float64 { return c.calls })
		var sum tally
		for _, r := range one.rounds {
			sum = sum.plus(r.tally)
		}
		t.add(one.name, one.sync, perSecond(shown.calls), perSecond(shown.accepted), processor(shown.cpu, seconds), megabytes(shown.memory), sum.String())
	}
	return nil
}

// steady shows beside the systems what the machine and the load take anyway.
func (c comparison) steady(ctx context.Context, t *table) error {
	var floor, all []*contender[steady]
	for _, s := range []system{reference("gin", "bare Gin + HMAC"), reference("publish", "Gin + HMAC + one JetStream publish")} {
		floor = append(floor, &contender[steady]{system: s, sync: syncInterval})
	}
	for _, s := range append([]system{c.callbridge}, c.bentos()...) {
		all = append(all, &contender[steady]{system: s, sync: syncInterval})
	}
	for range c.rounds {
		if err := inTurn(ctx, 1, floor, c.answerSteadily); err != nil {
			return err
		}
		if err := inTurn(ctx, 1, all, c.hold); err != nil {
			return err
		}
	}
	for _, one := range floor {
		shown := middle(one.rounds, func(s steady) float64 { return float64(s.answer99) })
		t.add(one.name, unknown, unknown, milliseconds(shown.answer50), milliseconds(shown.answer99), megabytes(shown.memory), unknown)
	}
	for _, one := range all {
		shown := middle(one.rounds, func(s steady) float64 { return float64(s.call99) })
		var sum tally
		for _, r := range one.rounds {
			sum = sum.plus(r.tally)
		}
		t.add(one.name, milliseconds(shown.call50), milliseconds(shown.call99), milliseconds(shown.answer50), milliseconds(shown.answer99), megabytes(shown.memory), sum.String())
	}
	return nil
}

// killedLatency is how long the API takes where systems are killed, so that
// there is something to interrupt.
const killedLatency = 50 * time.Millisecond

// killed leaves out Bento with few threads: one call of each at a time would
// take longer than the webhooks do to come.
func (c comparison) killed(ctx context.Context, t *table) error {
	systems := []system{c.callbridge}
	if c.bento != "" {
		systems = append(systems, bento(c.bento, usualThreads))
	}
	for _, s := range systems {
		for _, rate := range []float64{200, 0} {
			got, err := c.kill(ctx, s, rate, killedLatency)
			if err != nil {
				return err
			}
			at, silence := ", saturated", unknown
			if rate > 0 {
				at = fmt.Sprintf(", %.0f webhooks/s", rate)
			}
			if got.silence > 0 {
				silence = seconds(got.silence)
			}
			t.add(s.name+at, fmt.Sprint(got.sent), silence, got.tally.String())
		}
	}
	return nil
}
