// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// Memory: what an entry takes, and what is kept when 99 of 100 are deleted. Each design in a process of its
// own; before each look the collector runs, and gives back what it can.

const keepEvery = 100

type weighed struct{ Empty, Full, After uint64 }

func resident() uint64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		var kib uint64
		if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kib); n == 1 {
			return kib * 1024
		}
	}
	panic("smaps_rollup has no Rss")
}

// contextMap is what Go programs have for this most often: a context for each operation.
type contextMap struct{ entries map[string]context.CancelFunc }

func (m *contextMap) store(key []byte, _ *value) bool {
	_, cancel := context.WithCancel(context.Background())
	m.entries[string(key)] = cancel
	return true
}

func (m *contextMap) remove(key []byte) bool {
	delete(m.entries, string(key))
	return true
}

func (m *contextMap) get([]byte) bool    { return false }
func (m *contextMap) cancel([]byte) bool { return false }
func (m *contextMap) clean()             {}
func (m *contextMap) close()             {}

func weighHere(name string) {
	var d design
	if name == "go-map" {
		d = &contextMap{map[string]context.CancelFunc{}}
	}
	for _, p := range peers {
		if p.name == name {
			d = p.make()
		}
	}
	s := newStream(0, 1, liveEntries*2, mix{})
	for i := range s.live {
		s.live[i] = false // its memory is there from here on
	}
	w := weighed{Empty: resident()}
	s.fill(d, 2)
	w.Full = resident()
	for i := uint64(0); i < uint64(s.slots); i++ {
		slot := uint32(i * 2654435761 % uint64(s.slots))
		if s.live[slot] && i%keepEvery != 0 {
			makeKey(slot, 0, &s.key)
			d.remove(s.key[:])
		}
	}
	time.Sleep(time.Second)
	w.After = resident()
	text, _ := json.Marshal(w)
	fmt.Println(string(text))
	d.close()
}

func weighApart(name string) (w weighed, err error) {
	command := exec.Command(os.Args[0], "-weigh", name)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err == nil {
		err = json.Unmarshal(out, &w)
	}
	return w, err
}

func memoryRows() {
	wantsMap, wantsBytes, wantsKept := wants("map", "after-delete-1M"), wants("scale", "bytes-1M"), wants("scale", "kept-1M")
	names := []string{"go-map"}
	for _, p := range peers {
		if wantsMap && (!given.quick || p.name == "go-mutex") {
			names = append(names, p.name)
		}
	}
	if !wantsMap && !wantsBytes && !wantsKept {
		return
	}
	for _, name := range names {
		if !strings.Contains(name, given.peer) {
			continue
		}
		w, err := weighApart(name)
		grown := float64(w.Full) - float64(w.Empty)
		if err != nil || grown <= 0 {
			row{Group: "map", Row: "after-delete-1M", Peer: name, Missing: fmt.Sprint("its process failed: ", err)}.print()
			continue
		}
		kept, bytes := 100*(float64(w.After)-float64(w.Empty))/grown, grown/liveEntries
		note := "32-byte keys, a cancel function and its argument; resident memory after a collection"
		if name == "go-map" {
			note = "a map from string to the cancel function of a context; resident memory after a collection"
		}
		if wantsMap {
			row{Group: "map", Row: "after-delete-1M", Peer: name, Unit: "percent", Value: &kept, BytesEntry: bytes, Kept: &kept, Note: note}.print()
		}
		if wantsBytes && name == "go-map" {
			row{Group: "scale", Row: "bytes-1M", Peer: name, Unit: "bytes/entry", Value: &bytes, Note: note}.print()
		}
		if wantsKept && name == "go-map" {
			row{Group: "scale", Row: "kept-1M", Peer: name, Unit: "percent", Value: &kept, Note: note}.print()
		}
	}
}
