// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

const liveEntries = 1000000

type bed struct {
	peer    peer
	design  design
	streams []*stream
	ns      []float64
	core    []float64
	loud    []float64
	thrown  int
	latency histogram
}

func newBed(p peer, live, workers uint32, m mix) *bed {
	b := &bed{peer: p, design: p.make()}
	for i := uint32(0); i < workers; i++ {
		s := newStream(i, workers, live*2/workers, m)
		s.fill(b.design, 2)
		b.streams = append(b.streams, s)
	}
	return b
}

func (b *bed) slice(ms int, timed, counts bool) {
	s := begin()
	ops, latency := work(b.design, b.streams, ms, timed, nil)
	wall, cpu, quiet := s.end()
	if timed {
		b.latency.merge(latency)
	} else if counts && quiet {
		b.ns = append(b.ns, float64(wall)/float64(ops))
		b.core = append(b.core, float64(cpu)/float64(ops))
	} else if counts {
		b.loud = append(b.loud, float64(wall)/float64(ops))
		b.thrown++
	}
}

func asked() (wanted []peer) {
	for _, p := range peers {
		if strings.Contains(p.name, given.peer) {
			wanted = append(wanted, p)
		}
	}
	return wanted
}

// A bed at a time: the collector walks what others hold, too.
func (b *bed) row(name string) {
	rounds, ms := pick(3, 10), pick(60, 400)
	b.slice(ms, false, false)
	for i := 0; i < rounds; i++ {
		b.slice(ms, false, true)
	}
	for i := 0; i < pick(1, 3); i++ {
		b.slice(ms*2, true, false)
	}
	note := b.peer.note
	if len(b.ns) == 0 {
		b.ns, note = b.loud, note+"; no slice was quiet: a median of loud ones"
	}
	r := row{Group: "map", Row: name, Peer: b.peer.name, Unit: "ns/op", Note: note,
		P50: b.latency.at(.5), P99: b.latency.at(.99), P999: b.latency.at(.999), Worst: b.latency.worst,
		Slices: rounds, SlicesThrown: &b.thrown}
	value := median(b.ns)
	r.Value = &value
	if len(b.core) > 0 {
		r.CoreNs = median(b.core)
	}
	r.print()
}

type mixRow struct {
	name string
	mix  mix
}

// What a quick run has time for is the rows that goals stand beside.
func mixRows() {
	rows := []mixRow{{"mix-1M", mix{35, 5}}}
	if !given.quick {
		rows = append(rows, mixRow{"read90-1M", mix{90, 0}})
	}
	sizeRows(liveEntries, rows, "cleanup-1M")
	if !given.quick {
		sizeRows(100000, []mixRow{{"mix-100k", mix{35, 5}}}, "")
	}
}

// sizeRows fills a bed for each peer once, and measures all rows on it.
func sizeRows(live uint32, rows []mixRow, cleanup string) {
	var wanted []mixRow
	for _, r := range rows {
		if wants("map", r.name) {
			wanted = append(wanted, r)
		}
	}
	cleans := cleanup != "" && wants("map", cleanup)
	if len(wanted) == 0 && !cleans {
		return
	}
	for _, p := range asked() {
		b := newBed(p, live, 2, mix{})
		runtime.GC()
		for _, r := range wanted {
			for _, s := range b.streams {
				s.mix = r.mix
			}
			b.row(r.name)
			b.ns, b.core, b.loud, b.thrown, b.latency = nil, nil, nil, 0, histogram{}
		}
		for _, s := range b.streams {
			if s.wrong > 0 {
				panic(fmt.Sprint(p.name, " gave wrong answers: ", s.wrong))
			}
		}
		if cleans {
			b.cleanup(cleanup)
		}
		b.design.close()
	}
}

// cleanup: one goroutine works, another takes a quarter of all entries away; of go-cache, they expire.
func (b *bed) cleanup(name string) {
	var ns, core []float64
	var took time.Duration
	b.streams[0].mix = mix{35, 5}
	for i := 0; i < pick(1, 3); i++ {
		b.prepare()
		s := begin()
		ops, latency := work(b.design, b.streams[:1], pick(300, 600), true, func() {
			time.Sleep(50 * time.Millisecond)
			from := time.Now()
			b.design.clean()
			took = time.Since(from)
		})
		wall, cpu, _ := s.end()
		ns = append(ns, float64(wall)/float64(ops))
		core = append(core, float64(cpu)/float64(ops))
		b.latency.merge(latency)
	}
	note := fmt.Sprintf("1 goroutine works, 1 takes 250,000 entries away in %.1f ms", float64(took)/1e6)
	if b.peer.name == "go-cache" {
		note = "1 goroutine works; 250,000 entries expire, and its janitor takes them away"
	}
	value := median(ns)
	row{Group: "map", Row: name, Peer: b.peer.name, Unit: "ns/op", Value: &value, CoreNs: median(core), P50: b.latency.at(.5),
		P99: b.latency.at(.99), P999: b.latency.at(.999), Worst: b.latency.worst, Note: note}.print()
}

// prepare stores what is to be taken away; in go-cache, with a ttl that ends soon.
func (b *bed) prepare() {
	if b.peer.name != "go-cache" {
		for _, s := range b.streams {
			s.fill(b.design, matchEvery)
		}
		return
	}
	until := time.Now().Add(2 * time.Second)
	for _, s := range b.streams {
		for slot := uint32(0); slot < s.slots; slot += matchEvery {
			makeKey(slot, s.worker, &s.key)
			b.design.remove(s.key[:])
		}
	}
	atomic.StoreInt64(&cleanUntil, until.UnixNano())
	for _, s := range b.streams {
		s.fill(b.design, matchEvery)
	}
	atomic.StoreInt64(&cleanUntil, 0)
	time.Sleep(time.Until(until) - 50*time.Millisecond)
}

// A map that grows from nothing, each insert timed. The collector runs as it does.
func growRows() {
	for _, what := range []struct {
		group, name string
		entries     uint32
	}{{"map", "grow-1M", 1000000}, {"scale", fmt.Sprintf("grow-%dM", pick(4, 10)), uint32(pick(4000000, 10000000))}} {
		if !strings.Contains("go-map", given.peer) || !wants(what.group, what.name) {
			continue
		}
		entries, latency := map[string]*value{}, &histogram{}
		var key [keyBytes]byte
		runtime.LockOSThread()
		cpu, waited := cpuTime(), threadDelay()
		for i := uint32(0); i < what.entries; i++ {
			makeKey(i, 0, &key)
			from := time.Now()
			entries[string(key[:])] = &value{cancel: cancelled, argument: 0}
			took := time.Since(from)
			if took > 20*time.Microsecond { // what the kernel gave to others is taken off
				now := threadDelay()
				took, waited = took-(now-waited), now
			}
			latency.add(int64(took))
		}
		core := float64(cpuTime()-cpu) / float64(what.entries)
		runtime.KeepAlive(entries)
		row{Group: what.group, Row: what.name, Peer: "go-map", Unit: "ns/op", Value: &core, CoreNs: core, P50: latency.at(.5),
			P999: latency.at(.999), P99999: latency.at(.99999), Worst: latency.worst,
			Note: "a map, its collector beside it; CPU time of the process"}.print()
	}
}
