package payload

// fewKeys is how many keys are compared one by one; a webhook's objects mostly
// have fewer.
const fewKeys = 24

// keys are the names that an object has so far.
type keys struct {
	of *document
	// first is the object's first value.
	first, count int
	// all has them where there are many, or where one has to be unquoted.
	all map[string]struct{}
}

// add notes the name of the next value, and reports whether it is a new one.
func (k *keys) add(n node) bool {
	if k.all == nil && (n.escapedKey || k.count == fewKeys) {
		k.gather()
	}
	k.count++
	name := k.of.unquote(n.key, n.keyEnd, n.escapedKey)
	if k.all != nil {
		before := len(k.all)
		k.all[name] = struct{}{}
		return len(k.all) > before
	}
	// None of these has a backslash.
	for i := k.first; i < len(k.of.nodes); i = int(k.of.nodes[i].next) {
		if o := &k.of.nodes[i]; o.keyEnd-o.key == n.keyEnd-n.key && k.of.text[o.key:o.keyEnd] == name {
			return false
		}
	}
	return true
}

func (k *keys) gather() {
	k.all = make(map[string]struct{}, 2*fewKeys)
	for i := k.first; i < len(k.of.nodes); i = int(k.of.nodes[i].next) {
		k.all[k.of.key(i)] = struct{}{}
	}
}
