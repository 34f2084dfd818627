package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// profile takes a profile of callbridge's processor time and of what it
// allocates, for go tool pprof.
func (b *bench) profile(r *running, name string) (done func()) {
	if b.profiles == "" || r.admin == "" {
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.save(r, name+".cpu", fmt.Sprintf("profile?seconds=%d", max(1, int(b.time.Seconds())-1)))
	}()
	return func() {
		<-ended
		b.save(r, name+".allocs", "allocs")
	}
}

func (b *bench) save(r *running, name, what string) {
	resp, err := http.Get("http://" + r.admin + "/debug/pprof/" + what)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: profile:", err)
		return
	}
	defer resp.Body.Close()
	file, err := os.Create(filepath.Join(b.profiles, name))
	if err == nil {
		_, err = io.Copy(file, resp.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: profile:", err)
	}
	_ = file.Close()
}
