//go:build race

package main

// memoryFactor is what the race detector needs at most (https://go.dev/doc/articles/race_detector).
const memoryFactor = 10
