package main

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// refusal is the code with which a token is refused; it is raised as a panic.
type refusal string

func refuse(condition bool, code refusal) {
	if condition {
		panic(code)
	}
}

var lastDigits = map[int]int{0: 0, 3: 1, 5: 2, 8: 3, 10: 4, 13: 5, 15: 6}
var plainDigits = regexp.MustCompile(`^[0-9]*$`)

// decodeText is step 1. The wanted prefixes are those of tokens, or that of a challenge.
func decodeText(text string, prefixes ...string) (prefix string, data []byte, otp string) {
	refuse(utf8.RuneCountInString(text) > 800, "text.length")
	known := false
	for _, each := range prefixes {
		known = known || strings.HasPrefix(text, each)
	}
	ours := len(text) >= 2 && text[:2] >= "95" && text[:2] <= "98"
	refuse(!known && !ours && len(text) > 40 && plainDigits.MatchString(text), "text.beginning")
	refuse(!known, "text.prefix")
	refuse(!plainDigits.MatchString(text), "text.digits")
	prefix = text[:2]
	end := len(text) - 2
	if prefix == "97" {
		end -= 8
	}
	size := end - 2
	last, inTable := lastDigits[((size%17)+17)%17]
	refuse(size < 1 || !inTable, "text.length")
	for at := 2; at < end; at += 17 {
		stop, width := at+17, 7
		if stop > end {
			stop, width = end, last
		}
		group, _ := strconv.ParseUint(text[at:stop], 10, 64)
		for range width {
			data = append(data, byte(group))
			group >>= 8
		}
		refuse(group != 0, "text.range")
	}
	whole, _ := new(big.Int).SetString(text, 10)
	check := text[len(text)-2:]
	refuse(new(big.Int).Mod(whole, big.NewInt(97)).Int64() != 1 || check == "00" || check == "01" || check == "99", "text.check")
	if prefix == "97" {
		otp = text[end : end+8]
	}
	return prefix, data, otp
}

func normalize(scanned string) string {
	var kept strings.Builder
	for _, letter := range scanned {
		switch {
		case letter <= ' ' || letter == 0x7f:
		case 0x200b <= letter && letter <= 0x200f || 0x202a <= letter && letter <= 0x202e:
		case letter == 0x2060 || 0x2066 <= letter && letter <= 0x2069 || letter == 0xfeff:
		case '\uff10' <= letter && letter <= '\uff19':
			kept.WriteRune('0' + letter - '\uff10')
		default:
			kept.WriteRune(letter)
		}
	}
	return regexp.MustCompile(`^(?:\]Q[0-6])?(?:\\[0-9]{6})*`).ReplaceAllString(kept.String(), "")
}

func sigStructure(header, payload []byte) []byte {
	data := append([]byte("\x84\x6aSignature1"), byteString(header)...)
	return append(append(data, 0x40), byteString(payload)...)
}

type envelope struct{ header, payload, signature []byte }

func cutToken(data []byte) (cut envelope) {
	r := reader{data}
	refuse(!wellFormed(func() {
		r.raw(0xd2, 0x84)
		cut.header = r.bytes(13, 17)
		must(len(cut.header) == 13 || len(cut.header) == 17)
		r.raw(0xa0)
		cut.payload = r.bytes(24, 255)
		cut.signature = r.bytes(64, 64)
		r.end()
	}), "envelope.shape")
	return cut
}

var deviceHeaders = map[string]int64{"\xa1\x01\x26": curveP256, "\xa1\x01\x3a\x00\x01\x00\x00": curveSM2}

type display struct {
	envelope
	curve         int64
	token         []byte
	issuedAt      int64
	nonce, answer []byte
}

func cutDisplay(data []byte) (cut display) {
	r := reader{data}
	refuse(!wellFormed(func() {
		r.raw(0xd2, 0x84)
		cut.header = r.bytes(3, 7)
		curve, known := deviceHeaders[string(cut.header)]
		must(known)
		cut.curve = curve
		r.raw(0xa0)
		cut.payload = r.bytes(24, 255)
		cut.signature = r.bytes(64, 64)
		r.end()
		inner := reader{cut.payload}
		items := inner.oneOf(0x83, 0x84)
		cut.token = inner.bytes(24, 255)
		cut.issuedAt = int64(inner.uint(1<<32 - 1))
		cut.nonce = inner.bytes(8, 8)
		if items == 0x84 {
			cut.answer = inner.bytes(12, 12)
		}
		inner.end()
	}), "envelope.shape")
	return cut
}

type deviceKey struct {
	curve int64
	x     []byte
	odd   bool
}

type claims struct {
	expiresAt, issuedAt       int64
	nonce, identity           []byte
	device                    *deviceKey
	profile                   int64
	city                      string
	channel, assurance, index *int64
	purpose                   *string
	presenter                 []byte
}

func sixDigits(number int) string { return fmt.Sprintf("%06d", number) }

func parseClaims(payload []byte) (c claims) {
	r := reader{payload}
	refuse(!wellFormed(func() {
		labels := r.oneOf(0xa4, 0xa5)
		r.raw(4)
		c.expiresAt = int64(r.uint(1<<32 - 1))
		r.raw(6)
		c.issuedAt = int64(r.uint(1<<32 - 1))
		must(c.issuedAt < c.expiresAt)
		r.raw(7)
		c.nonce = r.bytes(8, 16)
		if labels == 0xa5 {
			r.raw(8, 0xa1, 1, 0xa4, 1, 2, 0x20)
			c.device = &deviceKey{curve: curveP256}
			if r.oneOf(1, 0x3a) == 0x3a {
				r.raw(0, 1, 0, 0)
				c.device.curve = curveSM2
			}
			r.raw(0x21)
			c.device.x = r.bytes(32, 32)
			r.raw(0x22)
			c.device.odd = r.oneOf(0xf4, 0xf5) == 0xf5
		}
		r.raw(0x3a, 0, 1, 0, 0)
		items := r.oneOf(0x83, 0x84)
		c.profile = int64(r.uint(3))
		must(c.profile >= 1 && (c.profile == 3) == (c.device != nil))
		c.identity = r.bytes(16, 16)
		c.city = sixDigits(int(r.uint(999_999)))
		if items == 0x84 {
			c.readExtras(&r)
		}
		r.end()
	}), "claims.shape")
	return c
}

func (c *claims) readExtras(r *reader) {
	count := r.expect(majorMap)
	must(1 <= count && count <= 5)
	small := func(most uint64) *int64 {
		number := int64(r.uint(most))
		return &number
	}
	previous := uint64(0)
	for range count {
		label := r.uint(5)
		must(label > previous)
		previous = label
		switch label {
		case 1:
			c.channel = small(65535)
		case 2:
			purpose := fmt.Sprintf("%05d", r.uint(99_999))
			c.purpose = &purpose
		case 3:
			c.presenter = r.bytes(16, 16)
		case 4:
			c.assurance = small(255)
		case 5:
			c.index = small(1<<32 - 1)
		}
	}
}

// opened is what steps 1 to 5 make of a text.
type opened struct {
	entry *entry
	claims
	otp     string
	display *display
}

func open(keys ring, text string) (o opened) {
	prefix, data, otp := decodeText(text, "96", "97", "98")
	profile := int64(prefix[1] - '5')
	if profile == 3 {
		cut := cutDisplay(data)
		o.display, data = &cut, cut.token
	}
	token := cutToken(data)
	o.otp, o.entry = otp, keys.byHeader(token.header)
	if o.entry == nil {
		for _, algorithm := range algorithms {
			start := append(append([]byte{0xa2, 1}, algorithm.bytes...), 4, 0x48)
			refuse(len(token.header) == len(start)+8 && strings.HasPrefix(string(token.header), string(start)), "key.unknown")
		}
		panic(refusal("envelope.shape"))
	}
	refuse(!o.entry.verify(sigStructure(token.header, token.payload), token.signature), "signature.invalid")
	o.claims = parseClaims(token.payload)
	refuse(o.profile != profile, "claims.profile")
	if o.display != nil {
		d, key := o.display, o.device
		refuse(d.curve != key.curve, "device.signature")
		x := new(big.Int).SetBytes(key.x)
		y := decompress(key.curve, x, key.odd)
		refuse(y == nil, "claims.shape")
		phone := point{key.curve, x, y, defaultUserID}
		refuse(!phone.verify(sigStructure(d.header, d.payload), d.signature), "device.signature")
	}
	return o
}

// asVectors are the claims in the words of the vectors.
func (o opened) asVectors(step *int64) map[string]any {
	stated := map[string]any{
		"kid": hex.EncodeToString(o.entry.kid), "algorithm": o.entry.algorithm, "profile": o.profile,
		"identity_ref": hex.EncodeToString(o.identity), "city_code": o.city, "issued_at": o.issuedAt,
		"expires_at": o.expiresAt, "nonce": hex.EncodeToString(o.nonce),
	}
	for name, value := range map[string]*int64{
		"channel": o.channel, "assurance": o.assurance, "status_index": o.index, "time_step": step,
	} {
		if value != nil {
			stated[name] = *value
		}
	}
	if o.purpose != nil {
		stated["purpose"] = *o.purpose
	}
	if o.presenter != nil {
		stated["presenter"] = hex.EncodeToString(o.presenter)
	}
	if o.device != nil {
		stated["device_key"] = map[string]any{
			"curve": o.device.curve, "x": hex.EncodeToString(o.device.x), "y_is_odd": o.device.odd,
		}
	}
	if o.display != nil {
		shown := map[string]any{"issued_at": o.display.issuedAt, "nonce": hex.EncodeToString(o.display.nonce)}
		if o.display.answer != nil {
			shown["challenge"] = hex.EncodeToString(o.display.answer)
		}
		stated["presentation"] = shown
	}
	return map[string]any{"claims": stated}
}
