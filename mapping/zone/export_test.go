package zone

// EachName calls f for each spelling in the tables.
func EachName(f func(spelling, name string)) int {
	for spelling, name := range index() {
		f(spelling, name)
	}
	return len(index())
}
