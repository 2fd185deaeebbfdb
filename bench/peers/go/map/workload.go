// SPDX-License-Identifier: MIT

package main

import "math/bits"

const (
	keyBytes   = 32
	matchEvery = 8
	digits     = "0123456789abcdef"
)

type kind int

const (
	opStore kind = iota
	opDelete
	opGet
	opCancel
)

type value struct {
	cancel    func(argument any)
	argument  any
	match     bool
	cancelled bool
}

// design is a map of cancel functions. Each call says whether the key was there (store: was not). The
// bytes of a key are the caller's: a store makes a string of its own of them.
type design interface {
	store(key []byte, v *value) bool
	remove(key []byte) bool
	get(key []byte) bool
	cancel(key []byte) bool
	clean() // takes away what matches
	close()
}

func random(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func makeKey(slot, worker uint32, key *[keyBytes]byte) {
	state := uint64(worker)<<32 | uint64(slot)
	number := random(&state)
	copy(key[:], "bench-operation-")
	for i := 0; i < 16; i++ {
		key[16+i] = digits[number>>(60-4*uint(i))&15]
	}
}

var cancels [64 * 8]uint64 // a cache line for each worker

func cancelled(argument any) {
	cancels[argument.(int)*8]++
}

type mix struct{ get, cancel uint64 } // percent; what is left: half stores, half deletes

// stream is what a worker asks, and what it knows of its own slots.
type stream struct {
	state           uint64
	worker, workers uint32
	slots           uint32
	live            []bool
	mix             mix
	key             [keyBytes]byte
	wrong           uint64
}

func newStream(worker, workers, slots uint32, m mix) *stream {
	return &stream{state: given.seed*1000003 + uint64(worker), worker: worker, workers: workers,
		slots: slots, live: make([]bool, slots), mix: m}
}

// fill stores under every second slot, or all that match.
func (s *stream) fill(d design, step uint32) {
	for slot := uint32(0); slot < s.slots; slot += step {
		makeKey(slot, s.worker, &s.key)
		d.store(s.key[:], s.newValue(slot))
		s.live[slot] = true
	}
}

func (s *stream) newValue(slot uint32) *value {
	return &value{cancel: cancelled, argument: int(s.worker), match: slot%matchEvery == 0}
}

// next does one op. The stop flag is the caller's to look at.
func (s *stream) next(d design) {
	number := random(&s.state)
	high, _ := bits.Mul32(uint32(number>>32), s.slots)
	percent := (number & 0xffff) * 100 >> 16
	worker := s.worker
	if percent < s.mix.get+s.mix.cancel {
		worker = uint32((number >> 16 & 0xffff) * uint64(s.workers) >> 16)
	}
	makeKey(high, worker, &s.key)
	switch {
	case percent < s.mix.get:
		d.get(s.key[:])
	case percent < s.mix.get+s.mix.cancel:
		d.cancel(s.key[:])
	case s.live[high]:
		if !d.remove(s.key[:]) && high%matchEvery != 0 {
			s.wrong++
		}
		s.live[high] = false
	default:
		if !d.store(s.key[:], s.newValue(high)) && high%matchEvery != 0 {
			s.wrong++
		}
		s.live[high] = true
	}
}
