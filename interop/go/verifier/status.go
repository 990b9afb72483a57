package main

import (
	"bytes"
	"compress/zlib"
	"io"
)

const listType = "application/statuslist+cwt"

type statusList struct {
	issuedAt, expiresAt int64
	bits                uint64
	array               []byte
}

func (l statusList) at(index int64) (status int64, known bool) {
	place := uint64(index) * l.bits
	if place/8 >= uint64(len(l.array)) {
		return 0, false
	}
	return int64(l.array[place/8] >> (place % 8) & byte(1<<l.bits-1)), true
}

// readList returns nil for a list that is not good in any way.
func readList(data []byte, keys ring, uri string, now, skew, room int64) (list *statusList) {
	var cut envelope
	var stated statusList
	var compressed []byte
	var address string
	if !wellFormed(func() {
		r := reader{data}
		r.raw(0xd2, 0x84)
		cut.header = r.bytes(24, 255)
		r.raw(0xa0)
		cut.payload = r.bytes(24, 1<<27)
		cut.signature = r.bytes(64, 64)
		r.end()
	}) {
		return nil
	}
	var signer *entry
	for i := range keys.entries {
		e := &keys.entries[i]
		header := append([]byte{0xa3}, append(append([]byte{}, e.headerHead[1:]...), e.kid...)...)
		header = append(append(header, 0x10, 0x78, byte(len(listType))), listType...)
		if string(header) == string(cut.header) {
			signer = e
		}
	}
	if signer == nil || !signer.verify(sigStructure(cut.header, cut.payload), cut.signature) {
		return nil
	}
	if !wellFormed(func() {
		r := reader{cut.payload}
		r.raw(0xa5, 2)
		address = r.text()
		r.raw(4)
		stated.expiresAt = int64(r.uint(1<<32 - 1))
		r.raw(6)
		stated.issuedAt = int64(r.uint(1<<32 - 1))
		r.raw(append([]byte{0x19, 0xff, 0xfd, 0xa2, 0x63}, "lst"...)...)
		compressed = r.bytes(0, 1<<27)
		r.raw(append([]byte{0x64}, "bits"...)...)
		stated.bits = uint64(r.oneOf(1, 2, 4, 8))
		r.raw(0x19, 0xff, 0xfe)
		must(r.uint(1<<32-1) > 0)
		r.end()
	}) {
		return nil
	}
	if len(compressed) < 2 || compressed[1]&0x20 != 0 {
		return nil // a preset dictionary; compress/zlib knows the empty one
	}
	limit := room * int64(stated.bits) / 8
	rest := bytes.NewReader(compressed)
	inflating, err := zlib.NewReader(rest)
	if err != nil {
		return nil
	}
	stated.array, err = io.ReadAll(io.LimitReader(inflating, limit+1))
	if err != nil || len(stated.array) == 0 || int64(len(stated.array)) > limit || rest.Len() != 0 {
		return nil
	}
	if _, err := inflating.Read(make([]byte, 1)); err != io.EOF {
		return nil
	}
	outside := stated.issuedAt < signer.notBefore || stated.issuedAt >= signer.notAfter
	withdrawn := signer.withdrawn != nil && stated.issuedAt >= *signer.withdrawn
	if address != uri || stated.issuedAt >= stated.expiresAt || stated.issuedAt > now+skew || outside || withdrawn {
		return nil
	}
	return &stated
}
