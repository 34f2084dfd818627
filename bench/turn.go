package main

import "context"

// contender is a system that is measured several times, in turn with others:
// what else the machine does then hits all of them alike.
type contender[T any] struct {
	system
	sync string
	// beside is the one that it is held against.
	beside *contender[T]
	rounds []T
}

// inTurn measures each contender once a round.
func inTurn[T any](ctx context.Context, rounds int, all []*contender[T], measure func(context.Context, system, string) (T, error)) error {
	for range rounds {
		for _, one := range all {
			got, err := measure(ctx, one.system, one.sync)
			if err != nil {
				return err
			}
			one.rounds = append(one.rounds, got)
		}
	}
	return nil
}
