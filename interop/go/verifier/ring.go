package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"regexp"
	"strings"
)

var errRing = errors.New("the key ring is refused")

type scope struct{ prefixes, exclusions []string }

func (s scope) covers(city string) bool {
	begins := func(prefixes []string) bool {
		for _, prefix := range prefixes {
			if strings.HasPrefix(city, prefix) {
				return true
			}
		}
		return false
	}
	return (len(s.prefixes) == 0 || begins(s.prefixes)) && !begins(s.exclusions)
}

var prefixForm = regexp.MustCompile(`^(?:[0-9]{2}){1,3}$`)

func (s scope) valid() bool {
	for _, prefix := range append(append([]string{}, s.prefixes...), s.exclusions...) {
		if !prefixForm.MatchString(prefix) {
			return false
		}
	}
	if len(s.exclusions) == 0 {
		return true
	}
	for city := range 1_000_000 {
		if s.covers(sixDigits(city)) {
			return true
		}
	}
	return false
}

type entry struct {
	point
	kid        []byte
	algorithm  int64
	issuer     string
	scope      scope
	notBefore  int64
	notAfter   int64
	withdrawn  *int64
	use        string
	statusURI  *string
	headerHead []byte
}

type ring struct {
	entries []entry
	use     string
}

func (r ring) byHeader(header []byte) *entry {
	for i := range r.entries {
		if string(header) == string(append(append([]byte{}, r.entries[i].headerHead...), r.entries[i].kid...)) {
			return &r.entries[i]
		}
	}
	return nil
}

var algorithms = map[int64]struct {
	curve int64
	bytes []byte
}{
	-7:     {curveP256, []byte{0x26}},
	-9:     {curveP256, []byte{0x28}},
	-65537: {curveSM2, []byte{0x3a, 0, 1, 0, 0}},
}

var members = map[int64]string{
	1: "kty", 2: "kid", 3: "alg", -1: "crv", -2: "x", -3: "y", -65537: "yb_issuer", -65538: "yb_scope",
	-65539: "yb_except", -65540: "nbf", -65541: "exp", -65542: "yb_withdrawn_since", -65543: "yb_user_id",
	-65544: "yb_use", -65545: "yb_status_uri",
}

const mostKeys = 65535

func ringOf(keys []map[string]any) (ring, error) {
	r := ring{use: "tokens"}
	if len(keys) > mostKeys {
		return r, errRing
	}
	kids := map[string]bool{}
	for i, key := range keys {
		e, err := entryOf(key)
		if err != nil {
			return r, err
		}
		if i == 0 {
			r.use = e.use
		}
		if kids[string(e.kid)] || e.use != r.use {
			return r, errRing
		}
		kids[string(e.kid)] = true
		r.entries = append(r.entries, e)
	}
	return r, nil
}

// fromJWKS reads the text of a JWK Set.
func fromJWKS(document []byte) (ring, error) {
	set, isObject := parseJSON(document).(map[string]any)
	keys, isArray := set["keys"].([]any)
	others := len(set) - 1
	if version, stated := set["yb_version"]; stated {
		number, isInteger := version.(int64)
		if !isInteger || number < 1 {
			return ring{}, errRing
		}
		others--
	}
	if !isObject || others != 0 || !isArray {
		return ring{}, errRing
	}
	var read []map[string]any
	for _, each := range keys {
		jwk, isObject := each.(map[string]any)
		if !isObject {
			return ring{}, errRing
		}
		key := map[string]any{}
		for name, value := range jwk {
			switch name {
			case "use":
				if value != "sig" {
					return ring{}, errRing
				}
			case "ext":
				if _, isBool := value.(bool); !isBool {
					return ring{}, errRing
				}
			case "key_ops":
				if ops, isArray := value.([]any); !isArray || len(ops) != 1 || ops[0] != "verify" {
					return ring{}, errRing
				}
			case "x", "y", "yb_user_id":
				text, isText := value.(string)
				data, err := base64.RawURLEncoding.Strict().DecodeString(text)
				if !isText || err != nil || strings.ContainsAny(text, "\r\n") {
					return ring{}, errRing
				}
				key[name] = data
			case "kid":
				text, isText := value.(string)
				if !isText || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(text) {
					return ring{}, errRing
				}
				key[name], _ = hex.DecodeString(text)
			case "kty", "crv", "alg":
				text, _ := value.(string)
				code, known := map[string]int64{
					"kty EC": 2, "crv P-256": curveP256, "crv SM2": curveSM2, "alg ES256": -7, "alg ESP256": -9, "alg SM2": -65537,
				}[name+" "+text]
				if !known {
					return ring{}, errRing
				}
				key[name] = code
			default:
				key[name] = value
			}
		}
		read = append(read, key)
	}
	return ringOf(read)
}

// fromCOSE reads the bytes of a COSE_KeySet.
func fromCOSE(document []byte) (ring, error) {
	var set any
	r := reader{document}
	if !wellFormed(func() { set = r.item(0); r.end() }) {
		return ring{}, errRing
	}
	keys, isArray := set.([]any)
	if !isArray {
		return ring{}, errRing
	}
	var read []map[string]any
	for _, each := range keys {
		labels, isMap := each.(map[int64]any)
		if !isMap {
			return ring{}, errRing
		}
		key := map[string]any{}
		for label, value := range labels {
			name, known := members[label]
			if !known {
				return ring{}, errRing
			}
			key[name] = value
		}
		read = append(read, key)
	}
	return ringOf(read)
}

var nameForm = regexp.MustCompile("^[^\\x{0000}-\\x{001f}\\x{007f}-\\x{009f}\\x{200b}-\\x{200f}\\x{2028}-\\x{202e}\\x{2060}-\\x{206f}\\x{feff}]+$")

// entryOf reads an entry whose values have the types of CBOR: integers, byte strings, texts, arrays.
func entryOf(key map[string]any) (e entry, err error) {
	defer func() {
		if found := recover(); found != nil {
			if _, ours := found.(malformed); !ours {
				panic(found)
			}
			err = errRing
		}
	}()
	known := map[string]bool{}
	for _, name := range members {
		known[name] = true
	}
	for name, value := range key {
		must(known[name] && value != nil)
	}
	integer := func(name string, otherwise int64) int64 {
		value, stated := key[name]
		if !stated {
			return otherwise
		}
		found, isInteger := value.(int64)
		must(isInteger)
		return found
	}
	data := func(name string) []byte {
		found, isBytes := key[name].([]byte)
		must(isBytes)
		return found
	}
	text := func(name string) string {
		found, isText := key[name].(string)
		must(isText)
		return found
	}
	prefixes := func(name string) []string {
		found := []string{}
		if value, stated := key[name]; stated {
			items, isArray := value.([]any)
			must(isArray)
			for _, item := range items {
				prefix, isText := item.(string)
				must(isText)
				found = append(found, prefix)
			}
		}
		return found
	}
	must(integer("kty", 0) == 2)
	e.curve, e.algorithm = integer("crv", 0), integer("alg", 0)
	algorithm, isAlgorithm := algorithms[e.algorithm]
	must(isAlgorithm && algorithm.curve == e.curve)
	x, y := data("x"), data("y")
	must(len(x) == 32 && len(y) == 32)
	e.x, e.y = new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)
	must(isPoint(e.curve, e.x, e.y))
	if _, stated := key["yb_user_id"]; stated {
		e.userID = data("yb_user_id")
		must(e.curve == curveSM2 && 1 <= len(e.userID) && len(e.userID) <= 8191)
	} else if e.curve == curveSM2 {
		e.userID = defaultUserID
	}
	curve := []byte{1}
	if e.curve == curveSM2 {
		curve = algorithm.bytes
	}
	thumbprint := append(append([]byte{0xa4, 1, 2, 0x20}, curve...), 0x21)
	thumbprint = append(append(append(thumbprint, byteString(x)...), 0x22), byteString(y)...)
	sum := sha256.Sum256(thumbprint)
	e.kid = sum[:8]
	if _, stated := key["kid"]; stated {
		must(string(data("kid")) == string(e.kid))
	}
	e.issuer = text("yb_issuer")
	must(nameForm.MatchString(e.issuer))
	e.scope = scope{prefixes("yb_scope"), prefixes("yb_except")}
	must(e.scope.valid())
	e.notBefore, e.notAfter = integer("nbf", 0), integer("exp", 1<<32)
	if _, stated := key["exp"]; stated {
		must(e.notAfter < 1<<32)
	}
	must(0 <= e.notBefore && e.notBefore < e.notAfter)
	if _, stated := key["yb_withdrawn_since"]; stated {
		since := integer("yb_withdrawn_since", 0)
		must(0 <= since && since < 1<<32)
		e.withdrawn = &since
	}
	e.use = "tokens"
	if _, stated := key["yb_use"]; stated {
		e.use = text("yb_use")
		must(e.use == "tokens" || e.use == "status")
	}
	if _, stated := key["yb_status_uri"]; stated {
		uri := text("yb_status_uri")
		must(nameForm.MatchString(uri) && e.use == "tokens")
		e.statusURI = &uri
	}
	e.headerHead = append(append([]byte{0xa2, 1}, algorithm.bytes...), 4, 0x48)
	return e, nil
}
