// SPDX-License-Identifier: MIT

// What Redis takes for a 32-byte key with a ttl: a server of our own, a million of them, and its own word for
// it: MEMORY USAGE of a key, and used_memory and resident memory by what they grew; and what it keeps when
// 99 of 100 are deleted.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const entries = 1000000

type row struct {
	Group   string   `json:"group"`
	Row     string   `json:"row"`
	Peer    string   `json:"peer"`
	Unit    string   `json:"unit,omitempty"`
	Value   *float64 `json:"value,omitempty"`
	Note    string   `json:"note,omitempty"`
	Missing string   `json:"missing,omitempty"`
}

func (r row) print() {
	text, _ := json.Marshal(r)
	fmt.Println(string(text))
}

type server struct {
	process *exec.Cmd
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
}

func start(directory string) (*server, error) {
	path := filepath.Join(directory, "redis")
	process := exec.Command("redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", directory)
	if err := process.Start(); err != nil {
		return nil, err
	}
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", path); err == nil {
			return &server{process, conn, bufio.NewReaderSize(conn, 1<<16), bufio.NewWriterSize(conn, 1<<16)}, nil
		}
	}
	process.Process.Kill()
	return nil, fmt.Errorf("redis-server takes no connection")
}

func (s *server) send(words ...string) {
	fmt.Fprintf(s.out, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(s.out, "$%d\r\n%s\r\n", len(word), word)
	}
}

// answer reads one: a line, or the text behind it.
func (s *server) answer() string {
	line, err := s.in.ReadString('\n')
	if err != nil {
		panic(err)
	}
	line = strings.TrimSpace(line)
	if line[0] == '-' {
		panic(line)
	}
	if line[0] != '$' {
		return line[1:]
	}
	size, _ := strconv.Atoi(line[1:])
	text := make([]byte, size+2)
	for have := 0; have < len(text); {
		n, err := s.in.Read(text[have:])
		if err != nil {
			panic(err)
		}
		have += n
	}
	return string(text[:size])
}

func (s *server) do(words ...string) string {
	s.send(words...)
	s.out.Flush()
	return s.answer()
}

// all does a command for each number that is wanted, many under way at once.
func (s *server) all(wanted func(i int) bool, words func(i int) []string) {
	waiting := 0
	for i := 0; i <= entries; i++ {
		if i < entries && wanted(i) {
			s.send(words(i)...)
			waiting++
		}
		if waiting == 256 || i == entries {
			s.out.Flush()
			for ; waiting > 0; waiting-- {
				s.answer()
			}
		}
	}
}

func (s *server) usedMemory() float64 {
	for _, line := range strings.Split(s.do("INFO", "memory"), "\r\n") {
		if strings.HasPrefix(line, "used_memory:") {
			value, _ := strconv.ParseFloat(strings.TrimPrefix(line, "used_memory:"), 64)
			return value
		}
	}
	panic("INFO memory has no used_memory")
}

func (s *server) resident() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.process.Process.Pid))
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		var kib float64
		if n, _ := fmt.Sscanf(line, "Rss: %f kB", &kib); n == 1 {
			return kib * 1024
		}
	}
	panic("smaps_rollup has no Rss")
}

func key(i int) string {
	z := uint64(i)*0x9e3779b97f4a7c15 + 1
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z ^= z >> 27
	return fmt.Sprintf("bench-operation-%016x", z)
}

func measure(s *server) {
	everyOne := func(int) bool { return true }
	empty, emptyUsed := s.resident(), s.usedMemory()
	s.all(everyOne, func(i int) []string { return []string{"SET", key(i), "1", "NX", "PX", "3600000"} })
	full, fullUsed := s.resident(), s.usedMemory()
	usage := s.do("MEMORY", "USAGE", key(7))
	s.all(func(i int) bool { return i%100 != 0 }, func(i int) []string { return []string{"DEL", key(i)} })
	s.do("MEMORY", "PURGE")
	time.Sleep(3 * time.Second)
	bytes, kept := (full-empty)/entries, 100*(s.resident()-empty)/(full-empty)
	note := fmt.Sprintf("SET NX PX, a value of one byte, no owner; resident memory. used_memory grew by %.1f an entry, MEMORY USAGE of a key says %s",
		(fullUsed-emptyUsed)/entries, usage)
	row{Group: "scale", Row: "bytes-1M", Peer: "redis", Unit: "bytes/entry", Value: &bytes, Note: note}.print()
	row{Group: "scale", Row: "kept-1M", Peer: "redis", Unit: "percent", Value: &kept, Note: "resident memory 3 s after the last DEL, and MEMORY PURGE"}.print()
}

func main() {
	flag.Bool("quick", false, "as without")
	flag.Uint64("seed", 1, "not used: the keys are always the same")
	list := flag.Bool("list", false, "names of rows instead of rows")
	only := flag.String("only", "", "rows whose name has this in it; both are measured, or none")
	flag.Parse()
	if *list {
		fmt.Println("bytes-1M\nkept-1M")
		return
	}
	if !strings.Contains("bytes-1M kept-1M", *only) {
		return
	}
	directory, err := os.MkdirTemp("", "canceld-bench-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	s, err := start(directory)
	if err != nil {
		for _, name := range []string{"bytes-1M", "kept-1M"} {
			row{Group: "scale", Row: name, Peer: "redis", Missing: err.Error()}.print()
		}
		return
	}
	defer func() {
		s.process.Process.Kill()
		s.process.Wait()
	}()
	measure(s)
}
