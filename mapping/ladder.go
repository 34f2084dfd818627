package mapping

import (
	"cmp"
	"slices"
	"sort"

	"cel.dev/cel-go/common/operators"
)

// ladder is routes that want the same number to be above a bound, each its own,
// or all below one: those that admit an event stand on the first rungs.
type ladder struct {
	rungs []rung
	all   []*binding // in the order of rungs
}

type rung struct {
	*bound
	route *binding
}

// side is what the bounds of one ladder have in common.
type side struct {
	field int // in Source.index
	above bool
}

func (l *ladder) routes(r *reader) []*binding {
	return l.all[:sort.Search(len(l.rungs), func(i int) bool { return !l.rungs[i].admits(r) })]
}

// addLadders takes what is worth a ladder out of others. A route stands on one
// only; its other bounds are looked at afterwards.
func (x *routeIndex) addLadders() {
	ladders := map[side]*ladder{}
	var order []side
	for _, b := range x.others {
		bound, ok := b.rule.firstSide()
		if !ok {
			continue
		}
		at := bound.side()
		if ladders[at] == nil {
			ladders[at], order = &ladder{}, append(order, at)
		}
		ladders[at].rungs = append(ladders[at].rungs, rung{bound, b})
	}
	taken := map[*binding]bool{}
	for _, at := range order {
		l := ladders[at]
		if len(l.rungs) < fewRoutes {
			continue
		}
		slices.SortStableFunc(l.rungs, func(a, b rung) int { return a.compare(b.bound) })
		for _, on := range l.rungs {
			l.all, taken[on.route] = append(l.all, on.route), true
		}
		x.groups = append(x.groups, l)
	}
	x.others = slices.DeleteFunc(x.others, func(b *binding) bool { return taken[b] })
}

// firstSide is the rule's first bound that is above or below a number.
func (r *rule) firstSide() (*bound, bool) {
	if r == nil {
		return nil, false
	}
	i := slices.IndexFunc(r.bounds, func(b bound) bool { return b.operator != operators.Equals })
	if i < 0 {
		return nil, false
	}
	return &r.bounds[i], true
}

func (b *bound) side() side {
	return side{b.index, b.operator == operators.Greater || b.operator == operators.GreaterEquals}
}

// compare is the order on a ladder: what admits more numbers comes first.
func (b *bound) compare(other *bound) int {
	if b.than == other.than {
		return cmp.Compare(b.narrow(), other.narrow())
	}
	if b.side().above {
		return cmp.Compare(b.than, other.than)
	}
	return cmp.Compare(other.than, b.than)
}

// narrow is 1 where the number of the bound itself is not admitted.
func (b *bound) narrow() int {
	if b.operator == operators.Greater || b.operator == operators.Less {
		return 1
	}
	return 0
}
