// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/patrickmn/go-cache"
)

type peer struct {
	name, note string
	make       func() design
}

var peers = []peer{
	{"go-mutex", "2 goroutines; a map and a sync.Mutex", func() design {
		return &mutexMap{entries: map[string]*value{}}
	}},
	{"go-sync-map", "2 goroutines; sync.Map", func() design { return &syncMap{} }},
	{"go-channel", "2 goroutines ask; a goroutine owns the map, asks come by a channel with a reply each",
		newChannelMap},
	{"go-cache", "2 goroutines; patrickmn/go-cache, a ttl each, its janitor every 200 ms",
		func() design { return &cacheMap{cache.New(time.Hour, 200*time.Millisecond)} }},
}

// ---- a map and a mutex

type mutexMap struct {
	mutex   sync.Mutex
	entries map[string]*value
}

func (m *mutexMap) store(key []byte, v *value) bool {
	m.mutex.Lock()
	_, found := m.entries[string(key)]
	if !found {
		m.entries[string(key)] = v
	}
	m.mutex.Unlock()
	return !found
}

func (m *mutexMap) remove(key []byte) bool {
	m.mutex.Lock()
	_, found := m.entries[string(key)]
	delete(m.entries, string(key))
	m.mutex.Unlock()
	return found
}

func (m *mutexMap) get(key []byte) bool {
	m.mutex.Lock()
	_, found := m.entries[string(key)]
	m.mutex.Unlock()
	return found
}

func (m *mutexMap) cancel(key []byte) bool {
	m.mutex.Lock()
	v, found := m.entries[string(key)]
	call := found && !v.cancelled
	if call {
		v.cancelled = true
	}
	m.mutex.Unlock()
	if call {
		v.cancel(v.argument)
	}
	return found
}

func (m *mutexMap) clean() {
	m.mutex.Lock()
	for key, v := range m.entries {
		if v.match {
			delete(m.entries, key)
		}
	}
	m.mutex.Unlock()
}

func (m *mutexMap) close() {}

// ---- sync.Map

type syncMap struct{ entries sync.Map }

func (m *syncMap) store(key []byte, v *value) bool {
	_, found := m.entries.LoadOrStore(string(key), v)
	return !found
}

func (m *syncMap) remove(key []byte) bool {
	_, found := m.entries.LoadAndDelete(string(key))
	return found
}

func (m *syncMap) get(key []byte) bool {
	_, found := m.entries.Load(string(key))
	return found
}

var syncCancelled sync.Mutex // of the mark alone; few cancels find something

func (m *syncMap) cancel(key []byte) bool {
	entry, found := m.entries.Load(string(key))
	if found {
		v := entry.(*value)
		syncCancelled.Lock()
		call := !v.cancelled
		v.cancelled = true
		syncCancelled.Unlock()
		if call {
			v.cancel(v.argument)
		}
	}
	return found
}

func (m *syncMap) clean() {
	m.entries.Range(func(key, entry any) bool {
		if entry.(*value).match {
			m.entries.Delete(key)
		}
		return true
	})
}

func (m *syncMap) close() {}

// ---- a goroutine that owns the map

type ask struct {
	kind  kind
	key   string
	value *value
	reply chan bool
}

type channelMap struct {
	asks    chan ask
	replies sync.Pool
}

func newChannelMap() design {
	m := &channelMap{asks: make(chan ask, 64)}
	m.replies.New = func() any { return make(chan bool, 1) }
	go m.own()
	return m
}

func (m *channelMap) own() {
	entries := map[string]*value{}
	for a := range m.asks {
		v, found := entries[a.key]
		switch a.kind {
		case opStore:
			if !found {
				entries[a.key] = a.value
			}
			found = !found
		case opDelete:
			delete(entries, a.key)
		case opCancel:
			if found && !v.cancelled {
				v.cancelled = true
				v.cancel(v.argument)
			}
		}
		if a.kind == opGet && a.key == "" { // a clean-up
			for key, v := range entries {
				if v.match {
					delete(entries, key)
				}
			}
		}
		a.reply <- found
	}
}

func (m *channelMap) ask(kind kind, key []byte, v *value) bool {
	reply := m.replies.Get().(chan bool)
	m.asks <- ask{kind, string(key), v, reply}
	found := <-reply
	m.replies.Put(reply)
	return found
}

func (m *channelMap) store(key []byte, v *value) bool { return m.ask(opStore, key, v) }
func (m *channelMap) remove(key []byte) bool          { return m.ask(opDelete, key, nil) }
func (m *channelMap) get(key []byte) bool             { return m.ask(opGet, key, nil) }
func (m *channelMap) cancel(key []byte) bool          { return m.ask(opCancel, key, nil) }
func (m *channelMap) clean()                          { m.ask(opGet, nil, nil) }
func (m *channelMap) close()                          { close(m.asks) }

// ---- patrickmn/go-cache

type cacheMap struct{ cache *cache.Cache }

var cleanUntil int64 // what matches is stored with a ttl up to then, in ns; 0: an hour

func (m *cacheMap) store(key []byte, v *value) bool {
	ttl := time.Hour
	if until := atomic.LoadInt64(&cleanUntil); until != 0 && v.match {
		ttl = time.Until(time.Unix(0, until))
	}
	return m.cache.Add(string(key), v, ttl) == nil
}

func (m *cacheMap) remove(key []byte) bool {
	_, found := m.cache.Get(string(key))
	m.cache.Delete(string(key))
	return found
}

func (m *cacheMap) get(key []byte) bool {
	_, found := m.cache.Get(string(key))
	return found
}

func (m *cacheMap) cancel(key []byte) bool {
	entry, found := m.cache.Get(string(key))
	if found {
		v := entry.(*value)
		syncCancelled.Lock()
		call := !v.cancelled
		v.cancelled = true
		syncCancelled.Unlock()
		if call {
			v.cancel(v.argument)
		}
	}
	return found
}

func (m *cacheMap) clean() {}
func (m *cacheMap) close() { m.cache.Flush() }
