package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"math/bits"
)

const (
	curveP256 = 1
	curveSM2  = -65537
)

var defaultUserID = []byte("1234567812345678")

func number(hex string) *big.Int {
	n, _ := new(big.Int).SetString(hex, 16)
	return n
}

// sm2p256v1 has a = p - 3, as the curves of the standard library have, so its arithmetic does for it.
var sm2p256v1 = &elliptic.CurveParams{
	P:       number("fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff"),
	N:       number("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123"),
	B:       number("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"),
	Gx:      number("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"),
	Gy:      number("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"),
	BitSize: 256, Name: "sm2p256v1",
}

func paramsOf(curve int64) *elliptic.CurveParams {
	if curve == curveSM2 {
		return sm2p256v1
	}
	return elliptic.P256().Params()
}

// point is a public key.
type point struct {
	curve  int64
	x, y   *big.Int
	userID []byte
}

func isPoint(curve int64, x, y *big.Int) bool {
	params := paramsOf(curve)
	if x.Cmp(params.P) >= 0 || y.Cmp(params.P) >= 0 {
		return false
	}
	square := new(big.Int).Mul(y, y)
	return square.Mod(square, params.P).Cmp(rightSide(params, x)) == 0
}

// rightSide is x^3 - 3x + b modulo p.
func rightSide(params *elliptic.CurveParams, x *big.Int) *big.Int {
	sum := new(big.Int).Exp(x, big.NewInt(3), params.P)
	sum.Sub(sum, new(big.Int).Mul(x, big.NewInt(3)))
	return sum.Mod(sum.Add(sum, params.B), params.P)
}

// decompress returns the y of an x, or nil.
func decompress(curve int64, x *big.Int, odd bool) *big.Int {
	params := paramsOf(curve)
	if x.Cmp(params.P) >= 0 {
		return nil
	}
	y := new(big.Int).ModSqrt(rightSide(params, x), params.P)
	if y == nil {
		return nil
	}
	if (y.Bit(0) == 1) != odd {
		y.Sub(params.P, y)
	}
	return y
}

func (p point) verify(message, signature []byte) bool {
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	n := paramsOf(p.curve).N
	if r.Sign() == 0 || s.Sign() == 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return false
	}
	if p.curve == curveP256 {
		digest := sha256.Sum256(message)
		return ecdsa.Verify(&ecdsa.PublicKey{Curve: elliptic.P256(), X: p.x, Y: p.y}, digest[:], r, s)
	}
	t := new(big.Int).Add(r, s)
	if t.Mod(t, n).Sign() == 0 {
		return false
	}
	x1, y1 := sm2p256v1.ScalarBaseMult(s.Bytes())
	x2, y2 := sm2p256v1.ScalarMult(p.x, p.y, t.Bytes())
	x, y := sm2p256v1.Add(x1, y1, x2, y2)
	if x.Sign() == 0 && y.Sign() == 0 {
		return false
	}
	e := new(big.Int).SetBytes(sm3(append(p.za(), message...)))
	return e.Add(e, x).Mod(e, n).Cmp(r) == 0
}

// za is ZA of GB/T 32918.2 section 5.5.
func (p point) za() []byte {
	data := binary.BigEndian.AppendUint16(nil, uint16(8*len(p.userID)))
	data = append(data, p.userID...)
	a := new(big.Int).Sub(sm2p256v1.P, big.NewInt(3))
	for _, each := range []*big.Int{a, sm2p256v1.B, sm2p256v1.Gx, sm2p256v1.Gy, p.x, p.y} {
		data = append(data, each.FillBytes(make([]byte, 32))...)
	}
	return sm3(data)
}

// sm3 is the hash of GB/T 32905.
func sm3(data []byte) []byte {
	padded := append(append([]byte{}, data...), 0x80)
	for len(padded)%64 != 56 {
		padded = append(padded, 0)
	}
	padded = binary.BigEndian.AppendUint64(padded, uint64(len(data))*8)
	v := [8]uint32{
		0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
	}
	for ; len(padded) > 0; padded = padded[64:] {
		var w [68]uint32
		for j := range w {
			if j < 16 {
				w[j] = binary.BigEndian.Uint32(padded[4*j:])
				continue
			}
			x := w[j-16] ^ w[j-9] ^ bits.RotateLeft32(w[j-3], 15)
			w[j] = x ^ bits.RotateLeft32(x, 15) ^ bits.RotateLeft32(x, 23) ^ bits.RotateLeft32(w[j-13], 7) ^ w[j-6]
		}
		a, b, c, d, e, f, g, h := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
		for j := range 64 {
			t, ff, gg := uint32(0x79cc4519), a^b^c, e^f^g
			if j >= 16 {
				t, ff, gg = 0x7a879d8a, a&b|a&c|b&c, e&f|^e&g
			}
			ss1 := bits.RotateLeft32(bits.RotateLeft32(a, 12)+e+bits.RotateLeft32(t, j%32), 7)
			tt1 := ff + d + (ss1 ^ bits.RotateLeft32(a, 12)) + (w[j] ^ w[j+4])
			tt2 := gg + h + ss1 + w[j]
			a, b, c, d = tt1, a, bits.RotateLeft32(b, 9), c
			e, f, g, h = tt2^bits.RotateLeft32(tt2, 9)^bits.RotateLeft32(tt2, 17), e, bits.RotateLeft32(f, 19), g
		}
		for i, each := range []uint32{a, b, c, d, e, f, g, h} {
			v[i] ^= each
		}
	}
	var digest []byte
	for _, word := range v {
		digest = binary.BigEndian.AppendUint32(digest, word)
	}
	return digest
}
