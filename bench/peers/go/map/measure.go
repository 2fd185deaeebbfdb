// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ---- how long ops took, as in bench/histogram.h

const parts = 16

type histogram struct {
	cells [64 * parts]uint64
	count uint64
	worst int64
}

func (h *histogram) add(ns int64) {
	if ns < 0 {
		ns = 0
	}
	cell := uint64(ns)
	if cell >= parts {
		shift := uint(59 - bits.LeadingZeros64(cell))
		cell = uint64(shift+1)*parts + (cell>>shift)&(parts-1)
	}
	h.cells[cell]++
	h.count++
	if ns > h.worst {
		h.worst = ns
	}
}

func (h *histogram) merge(from *histogram) {
	for i := range h.cells {
		h.cells[i] += from.cells[i]
	}
	h.count += from.count
	if from.worst > h.worst {
		h.worst = from.worst
	}
}

func (h *histogram) at(share float64) int64 {
	wanted, seen := uint64(float64(h.count)*share), uint64(0)
	for i, n := range h.cells {
		seen += n
		if n > 0 && (seen > wanted || seen == h.count) {
			top := int64(i)
			if i >= parts {
				top = (int64(i%parts+parts)+1)<<uint(i/parts-1) - 1
			}
			if top < h.worst {
				return top
			}
			return h.worst
		}
	}
	return 0
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[(len(values)-1)/2]
}

// ---- the noise filter, as in bench/slice.h

type slice struct {
	wall             time.Time
	cpu, delay, busy time.Duration
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func delays() (sum time.Duration) {
	paths, _ := filepath.Glob("/proc/self/task/*/schedstat")
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		var cpu, delay int64
		if n, _ := fmt.Sscan(string(text), &cpu, &delay); n == 2 {
			sum += time.Duration(delay)
		}
	}
	return sum
}

// threadDelay is the run delay of the calling thread, to which its goroutine must be locked.
func threadDelay() time.Duration {
	text, _ := os.ReadFile("/proc/thread-self/schedstat")
	var cpu, delay int64
	fmt.Sscan(string(text), &cpu, &delay)
	return time.Duration(delay)
}

func machineBusy() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line := strings.SplitN(string(text), "\n", 2)[0]
	var user, nice, system, idle, wait, irq, softirq, steal int64
	fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal)
	return time.Duration(user+nice+system+irq+softirq+steal) * 10 * time.Millisecond
}

func begin() slice {
	return slice{cpu: cpuTime(), delay: delays(), busy: machineBusy(), wall: time.Now()}
}

// end gives the wall and the CPU time of the slice, and whether it was quiet.
func (s slice) end() (wall, cpu time.Duration, quiet bool) {
	wall, cpu = time.Since(s.wall), cpuTime()-s.cpu
	delay, foreign := delays()-s.delay, machineBusy()-s.busy-cpu
	quiet = delay*25 <= wall || foreign*25 <= wall
	return
}

// ---- workers

// work lets each stream ask for a while; extra, if any, runs beside them. With timed, ops are timed.
func work(d design, streams []*stream, ms int, timed bool, extra func()) (ops uint64, latency *histogram) {
	var stop int32
	var all sync.WaitGroup
	counts := make([]uint64, len(streams)*8)
	latencies := make([]histogram, len(streams))
	for i, s := range streams {
		all.Add(1)
		go func(i int, s *stream) {
			defer all.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread() // the thread stays, and what it waited is counted
			for atomic.LoadInt32(&stop) == 0 {
				if timed {
					from := time.Now()
					s.next(d)
					latencies[i].add(int64(time.Since(from)))
				} else {
					s.next(d)
				}
				counts[i*8]++
			}
		}(i, s)
	}
	if extra != nil {
		all.Add(1)
		go func() { defer all.Done(); extra() }()
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	atomic.StoreInt32(&stop, 1)
	all.Wait()
	latency = &histogram{}
	for i := range latencies {
		latency.merge(&latencies[i])
		ops += counts[i*8]
	}
	return ops, latency
}
