// SPDX-License-Identifier: MIT

// The programs of bench/savina/savina.h for Go's goroutines and channels, without any module:
//
//	GO111MODULE=off go build -o savina_go savina.go
//	GOMAXPROCS=1 savina_go --runs 5 --peer go
//
// A line of JSON a program. Sizes, keys and what counts as an op are the same. An actor is a goroutine
// with a channel (1,024 places in count, as our mailbox has; 64 elsewhere).
package main

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

const (
	keysCount     = 65536
	workersCount  = 20
	accountsCount = 1000
)

var keys [keysCount]string

func nextRandom(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// ---- count ----

func count(size uint64, _ uint64) {
	increments := make(chan uint64, 1024)
	result := make(chan uint64)
	go func() {
		value := uint64(0)
		for by := range increments {
			value += by
		}
		result <- value
	}()
	go func() {
		for i := uint64(0); i < size; i++ {
			increments <- 1
		}
		close(increments)
	}()
	if <-result != size {
		panic("count")
	}
}

// ---- pingpong ----

func pingpong(size uint64, _ uint64) {
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		for range ping {
			pong <- struct{}{}
		}
	}()
	go func() {
		for i := uint64(0); i < size; i++ {
			ping <- struct{}{}
			<-pong
		}
		close(ping)
		close(ended)
	}()
	<-ended
}

// ---- cdict-20 ----

type request struct {
	key   string
	value uint64
	write bool
	reply chan uint64
}

func dictionary(requests chan request) {
	entries := make(map[string]uint64, keysCount)
	for r := range requests {
		if r.write {
			entries[r.key] = r.value
			r.reply <- r.value
		} else {
			r.reply <- entries[r.key]
		}
	}
}

func cdict(size uint64, seed uint64) {
	requests := make(chan request, 64)
	done := make(chan struct{})
	go dictionary(requests)
	for i := 0; i < workersCount; i++ {
		go func(state uint64) {
			reply := make(chan uint64, 1)
			for n := uint64(0); n < size; n++ {
				random := nextRandom(&state)
				requests <- request{keys[(random>>32)%keysCount], random >> 16, random%100 < 10, reply}
				<-reply
			}
			done <- struct{}{}
		}(seed + uint64(i))
	}
	for i := 0; i < workersCount; i++ {
		<-done
	}
	close(requests)
}

// ---- banking ----

type transfer struct {
	amount      float64
	destination chan transfer   // of a credit
	answer      chan struct{}   // of a debit
	done        chan<- struct{} // of a credit: the teller
}

func account(in chan transfer) {
	balance := 1e6
	answer := make(chan struct{}, 1)
	for t := range in {
		if t.answer != nil {
			balance += t.amount
			t.answer <- struct{}{}
			continue
		}
		balance -= t.amount
		t.destination <- transfer{amount: t.amount, answer: answer}
		<-answer
		t.done <- struct{}{}
	}
}

func banking(size uint64, seed uint64) {
	accounts := make([]chan transfer, accountsCount)
	for i := range accounts {
		accounts[i] = make(chan transfer, 64)
		go account(accounts[i])
	}
	done := make(chan struct{}, 64)
	go func() {
		for i := uint64(0); i < size; i++ {
			random := nextRandom(&seed)
			source := random % (accountsCount / 10 * 8)
			destination := source + (random>>32)%(accountsCount-source)
			if destination == source {
				destination++
			}
			accounts[source] <- transfer{amount: float64(random >> 54), destination: accounts[destination], done: done}
		}
	}()
	for i := uint64(0); i < size; i++ {
		<-done
	}
	for i := range accounts {
		close(accounts[i])
	}
}

// ---- ask ----

func answerer() chan chan struct{} {
	questions := make(chan chan struct{}, 64)
	go func() {
		for reply := range questions {
			reply <- struct{}{}
		}
	}()
	return questions
}

func ask(size uint64, _ uint64) {
	questions := answerer()
	ended := make(chan struct{})
	go func() {
		reply := make(chan struct{}, 1)
		for i := uint64(0); i < size; i++ {
			questions <- reply
			<-reply
		}
		close(ended)
	}()
	<-ended
	close(questions)
}

func askDeadline(size uint64, _ uint64) {
	questions := answerer()
	ended := make(chan struct{})
	go func() {
		reply := make(chan struct{}, 1)
		for i := uint64(0); i < size; i++ {
			timer := time.NewTimer(5 * time.Second)
			questions <- reply
			select {
			case <-reply:
			case <-timer.C:
				panic("late")
			}
			timer.Stop()
		}
		close(ended)
	}()
	<-ended
	close(questions)
}

// ---- the whole ----

var programs = []struct {
	row  string
	run  func(size uint64, seed uint64)
	size uint64
	each uint64
}{
	{"count", count, 1000000, 1},
	{"pingpong", pingpong, 40000, 2},
	{"pingpong-300k", pingpong, 300000, 2},
	{"cdict-20", cdict, 10000, workersCount},
	{"banking", banking, 50000, 1},
	{"ask", ask, 200000, 1},
	{"ask-deadline", askDeadline, 200000, 1},
}

func main() {
	runs := flag.Int("runs", 5, "")
	peer := flag.String("peer", "go", "")
	seed := flag.Uint64("seed", 1, "")
	only := flag.String("only", "", "")
	flag.Parse()
	for i := range keys {
		keys[i] = fmt.Sprintf("operation-%022d", i)
	}
	for _, program := range programs {
		if !strings.Contains(program.row, *only) {
			continue
		}
		fmt.Fprintln(os.Stderr, *peer, program.row)
		times := []float64{}
		for run := -2; run < *runs; run++ {
			begin := time.Now()
			program.run(program.size, *seed+uint64(run+2))
			if run >= 0 {
				times = append(times, float64(time.Since(begin).Nanoseconds())/float64(program.size*program.each))
			}
		}
		sort.Float64s(times)
		fmt.Printf("{\"group\": \"actor\", \"row\": \"%s\", \"peer\": \"%s\", \"unit\": \"ns/op\", \"value\": %.3f, \"median\": %.1f, \"runs\": %d}\n",
			program.row, *peer, times[0], times[len(times)/2], *runs)
	}
}
