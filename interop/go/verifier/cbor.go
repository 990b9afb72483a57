package main

import (
	"math"
	"unicode/utf8"
)

// malformed is raised, as a panic, by whatever walks bytes that are not built as they have to be.
type malformed struct{}

func must(holds bool) {
	if !holds {
		panic(malformed{})
	}
}

// wellFormed runs a walk and says whether it came to its end.
func wellFormed(walk func()) (good bool) {
	defer func() {
		if found := recover(); found != nil {
			if _, ours := found.(malformed); !ours {
				panic(found)
			}
		}
	}()
	walk()
	return true
}

const (
	majorUint = iota
	majorNint
	majorBytes
	majorText
	majorArray
	majorMap
)

// reader walks CBOR in shortest form and definite lengths.
type reader struct {
	data []byte
}

func (r *reader) take(size uint64) []byte {
	must(size <= uint64(len(r.data)))
	taken := r.data[:size]
	r.data = r.data[size:]
	return taken
}

func (r *reader) head() (major byte, number uint64) {
	first := r.take(1)[0]
	number = uint64(first & 31)
	if number >= 24 {
		must(number <= 27)
		width := uint64(1) << (number - 24)
		number = 0
		for _, b := range r.take(width) {
			number = number<<8 | uint64(b)
		}
		must(number >= map[uint64]uint64{1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[width])
	}
	return first >> 5, number
}

func (r *reader) expect(major byte) uint64 {
	found, number := r.head()
	must(found == major)
	return number
}

func (r *reader) uint(most uint64) uint64 {
	number := r.expect(majorUint)
	must(number <= most)
	return number
}

func (r *reader) bytes(least, most uint64) []byte {
	size := r.expect(majorBytes)
	must(least <= size && size <= most)
	return r.take(size)
}

func (r *reader) text() string {
	text := r.take(r.expect(majorText))
	must(utf8.Valid(text))
	return string(text)
}

func (r *reader) raw(wanted ...byte) {
	must(string(r.take(uint64(len(wanted)))) == string(wanted))
}

func (r *reader) oneOf(allowed ...byte) byte {
	found := r.take(1)[0]
	for _, each := range allowed {
		if found == each {
			return found
		}
	}
	panic(malformed{})
}

func (r *reader) end() { must(len(r.data) == 0) }

// item reads any item that a key set may have: int64, []byte, string, []any, map[int64]any.
func (r *reader) item(depth int) any {
	must(depth < 8)
	major, number := r.head()
	const most = 1<<53 - 1
	switch major {
	case majorUint:
		must(number <= most)
		return int64(number)
	case majorNint:
		must(number < most)
		return -1 - int64(number)
	case majorBytes:
		return r.take(number)
	case majorText:
		text := r.take(number)
		must(utf8.Valid(text))
		return string(text)
	case majorArray:
		must(number < math.MaxInt32)
		items := []any{}
		for range number {
			items = append(items, r.item(depth+1))
		}
		return items
	case majorMap:
		items := map[int64]any{}
		for range number {
			label, isInteger := r.item(depth + 1).(int64)
			_, twice := items[label]
			must(isInteger && !twice)
			items[label] = r.item(depth + 1)
		}
		return items
	}
	panic(malformed{})
}

// byteString is the head of a byte string, and the string.
func byteString(data []byte) []byte {
	size := len(data)
	switch {
	case size < 24:
		return append([]byte{0x40 | byte(size)}, data...)
	case size < 1<<8:
		return append([]byte{0x58, byte(size)}, data...)
	case size < 1<<16:
		return append([]byte{0x59, byte(size >> 8), byte(size)}, data...)
	}
	return append([]byte{0x5a, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, data...)
}
