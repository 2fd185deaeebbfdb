// SPDX-License-Identifier: MIT

// The same workloads as bench_map and bench_scale, on what Go programs use: a map with a mutex,
// sync.Map, a map that one goroutine owns behind a channel, and patrickmn/go-cache.
//
// The keys are the same 32 bytes; Go hashes them by itself (AES, keyed). The value is a cancel function and
// its argument. A worker is a goroutine on a thread of its own, two unless the row says otherwise.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
)

type row struct {
	Group        string   `json:"group"`
	Row          string   `json:"row"`
	Peer         string   `json:"peer"`
	Unit         string   `json:"unit,omitempty"`
	Value        *float64 `json:"value,omitempty"`
	CoreNs       float64  `json:"core_ns,omitempty"`
	P50          int64    `json:"p50_ns,omitempty"`
	P99          int64    `json:"p99_ns,omitempty"`
	P999         int64    `json:"p999_ns,omitempty"`
	P99999       int64    `json:"p99999_ns,omitempty"`
	Worst        int64    `json:"worst_ns,omitempty"`
	BytesEntry   float64  `json:"bytes_entry,omitempty"`
	Kept         *float64 `json:"kept_percent,omitempty"`
	Slices       int      `json:"slices,omitempty"`
	SlicesThrown *int     `json:"slices_thrown,omitempty"`
	Note         string   `json:"note,omitempty"`
	Missing      string   `json:"missing,omitempty"`
}

func (r row) print() {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

type options struct {
	quick, list bool
	only, peer  string
	group       string
	seed        uint64
}

var given options

// wants says whether a row is asked for; with -list it prints its name.
func wants(group, name string) bool {
	if !strings.Contains(name, given.only) || !strings.Contains(group, given.group) {
		return false
	}
	if given.list {
		fmt.Println(name)
		return false
	}
	fmt.Fprintln(os.Stderr, "go:", name)
	return true
}

func pick(quick, full int) int {
	if given.quick {
		return quick
	}
	return full
}

func main() {
	flag.BoolVar(&given.quick, "quick", false, "a few seconds in all")
	flag.BoolVar(&given.list, "list", false, "names of rows instead of rows")
	flag.StringVar(&given.only, "only", "", "rows whose name has this in it")
	flag.StringVar(&given.peer, "peer", "", "peers whose name has this in it")
	flag.StringVar(&given.group, "group", "", "rows of this group: map, scale")
	flag.Uint64Var(&given.seed, "seed", 1, "of the keys and the mix")
	weigh := flag.String("weigh", "", "weigh this design in this process (used by the program itself)")
	flag.Parse()
	if *weigh != "" {
		weighHere(*weigh)
		return
	}
	fmt.Fprintln(os.Stderr, "go: seed", given.seed, runtime.Version())
	mixRows()
	growRows()
	memoryRows()
}
