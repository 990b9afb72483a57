package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"sort"
	"strconv"
)

func mac(key []byte, parts ...[]byte) []byte {
	sum := hmac.New(sha256.New, key)
	for _, part := range parts {
		sum.Write(part)
	}
	return sum.Sum(nil)
}

// verifier has the settings of a case, the count of wrong codes, and what was redeemed.
type verifier struct {
	question
	keys    ring
	wrong   map[guessed]int
	claimed map[string]bool
}

// guessed is what a wrong code was compared with.
type guessed struct {
	pass string
	step int64
}

const stepSeconds, tries = 30, 5

func (v *verifier) secret(o opened) []byte {
	type master struct {
		since int64
		key   []byte
	}
	var masters []master
	for since, key := range v.Masters {
		at, _ := strconv.ParseInt(since, 10, 64)
		masters = append(masters, master{at, unhex(key)})
	}
	sort.Slice(masters, func(i, j int) bool { return masters[i].since < masters[j].since })
	var found []byte
	for _, each := range masters {
		if each.since <= o.issuedAt {
			found = each.key
		}
	}
	refuse(found == nil, "otp.unavailable")
	return mac(mac(o.nonce, found), []byte("ybtoken otp"), o.identity, []byte{1})
}

func (v *verifier) checkCode(o opened, now int64) int64 {
	secret := v.secret(o)
	present, found := now/stepSeconds, int64(-1)
	pass := string(o.entry.kid) + string(o.nonce)
	var compared []guessed
	for step := present - 1; step <= present; step++ {
		if each := (guessed{pass, step}); step >= 0 && v.wrong[each] < tries {
			compared = append(compared, each)
		}
	}
	refuse(compared == nil, "otp.throttled")
	for _, each := range compared {
		step := each.step
		digest := mac(secret, binary.BigEndian.AppendUint64(nil, uint64(step)))
		number := binary.BigEndian.Uint32(digest[digest[31]&15:]) & 0x7fffffff
		if hmac.Equal([]byte(fmt.Sprintf("%08d", number%100_000_000)), []byte(o.otp)) {
			found = step
		}
	}
	if found < 0 {
		for _, each := range compared {
			v.wrong[each]++
		}
		panic(refusal("otp.wrong"))
	}
	return found
}

// verify is steps 1 to 8, and step 9 if a time is given at which the claim is made.
func (v *verifier) verify(text string, now int64, asked string, claimedAt *int64) (outcome map[string]any) {
	defer func() {
		if found := recover(); found != nil {
			code, ours := found.(refusal)
			if !ours {
				panic(found)
			}
			outcome = map[string]any{"step": stepOf(code), "code": code}
		}
	}()
	o := open(v.keys, text)
	refuse(o.issuedAt > now+v.Skew, "time.future")
	refuse(now >= o.expiresAt+v.Skew, "time.expired")
	lifetime := v.MaxLifetime
	if o.profile != 1 {
		lifetime = v.MaxPassLifetime
	}
	refuse(o.expiresAt-o.issuedAt > lifetime, "time.lifetime")
	var step *int64
	replay, end := string(o.entry.kid)+string(o.nonce), o.expiresAt
	switch o.profile {
	case 2:
		found := v.checkCode(o, now)
		step, end = &found, (found+2)*stepSeconds
	case 3:
		refuse(o.display.issuedAt > now+v.Skew, "presentation.future")
		refuse(now >= o.display.issuedAt+v.MaxDisplayAge+v.Skew, "presentation.expired")
		replay += string(o.display.nonce)
		end = min(end, o.display.issuedAt+v.MaxDisplayAge)
	}
	e := o.entry
	refuse(o.issuedAt < e.notBefore || o.issuedAt >= e.notAfter, "scope.period")
	refuse(e.withdrawn != nil && o.issuedAt >= *e.withdrawn, "scope.withdrawn")
	refuse(!e.scope.covers(o.city), "scope.place")
	if asked != "any" {
		var answer []byte
		if o.display != nil {
			answer = o.display.answer
		}
		refuse(asked == "" && answer != nil, "challenge.wrong")
		if asked != "" {
			refuse(answer == nil, "challenge.missing")
			refuse(!bytes.Equal(answer, answerOf(asked)), "challenge.wrong")
		}
	}
	for _, each := range v.Policies {
		v.check(each, o, now)
	}
	if claimedAt != nil {
		refuse(*claimedAt >= end+v.Skew, "redeem.clock")
		v.claim(replay, step, now)
	}
	return o.asVectors(step)
}

func (v *verifier) claim(replay string, step *int64, now int64) {
	if step == nil {
		refuse(v.claimed[replay], "redeem.replayed")
		v.claimed[replay] = true
		return
	}
	at := func(step int64) string { return replay + string(binary.BigEndian.AppendUint32(nil, uint32(step))) }
	refuse(v.claimed[at(*step)], "redeem.replayed")
	for earlier := (now-2*v.Skew)/stepSeconds - 1; earlier <= *step; earlier++ {
		v.claimed[at(earlier)] = true
	}
}

func stepOf(code refusal) int {
	family := string(regexp.MustCompile(`^[a-z]+`).Find([]byte(code)))
	return map[string]int{
		"text": 1, "envelope": 2, "key": 3, "signature": 4, "device": 4, "claims": 5, "time": 6, "presentation": 6,
		"otp": 6, "scope": 7, "policy": 8, "status": 8, "challenge": 8, "redeem": 9,
	}[family]
}

// check judges one policy.
func (v *verifier) check(p policy, o opened, now int64) {
	among := func(count int, stated bool, is func(i int) bool) bool {
		if !stated {
			return p.AcceptUnstated
		}
		for i := range count {
			if is(i) {
				return true
			}
		}
		return false
	}
	switch p.Policy {
	case "insured_place":
		refuse(!scope{p.Prefixes, p.Exclusions}.covers(o.city), "policy.place")
	case "purpose":
		refuse(!among(len(p.Accept), o.purpose != nil, func(i int) bool { return p.Accept[i] == *o.purpose }), "policy.purpose")
	case "channel":
		is := func(i int) bool { return p.Accept[i] == float64(*o.channel) }
		refuse(!among(len(p.Accept), o.channel != nil, is), "policy.channel")
	case "profiles":
		refuse(!among(len(p.Accept), true, func(i int) bool { return p.Accept[i] == float64(o.profile) }), "policy.profile")
	case "holder_only":
		refuse(o.presenter != nil, "policy.presenter")
	case "minimum_assurance":
		refuse(o.assurance == nil || *o.assurance < p.Level, "policy.assurance")
	case "maximum_age":
		refuse(now-o.issuedAt > p.Seconds, "policy.age")
	case "any_of":
		v.anyOf(p.Policies, o, now)
	case "status":
		v.status(p, o, now)
	default:
		panic("no such policy: " + p.Policy)
	}
}

func (v *verifier) anyOf(policies []policy, o opened, now int64) {
	if len(policies) == 0 {
		panic("any of no policies")
	}
	var last any
	for _, each := range policies {
		last = func() (refused any) {
			defer func() { refused = recover() }()
			v.check(each, o, now)
			return nil
		}()
		if last == nil {
			return
		}
	}
	panic(last)
}

func (v *verifier) status(p policy, o opened, now int64) {
	if o.index == nil {
		refuse(o.profile != 1 && !p.AcceptUnlisted, "status.unavailable")
		return
	}
	keys, err := fromJWKS(p.JWKS)
	if err != nil {
		panic(err)
	}
	var held *statusList
	for _, each := range p.Lists {
		read := readList(unhex(each.List), keys, p.URI, each.At, 10, 1<<24)
		if read != nil && (held == nil || read.issuedAt > held.issuedAt) {
			held = read
		}
	}
	refuse(held == nil || now-held.expiresAt >= p.Grace, "status.unavailable")
	status, known := held.at(*o.index)
	refuse(!known, "status.unavailable")
	refuse(status == 2, "status.suspended")
	refuse(status != 0, "status.invalid")
}

var terminalForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// challengeOf reads the text of a challenge; nil if it is none.
func challengeOf(text string) (found map[string]any) {
	defer func() {
		if raised := recover(); raised != nil {
			if _, ours := raised.(refusal); !ours {
				panic(raised)
			}
			found = nil
		}
	}()
	_, data, _ := decodeText(text, "95")
	if len(data) < 12 || !terminalForm.Match(data[11:]) {
		return nil
	}
	purpose := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
	if purpose > 99_999 {
		return nil
	}
	sum := sha256.Sum256(append([]byte("ybtoken challenge"), data...))
	return map[string]any{
		"terminal": string(data[11:]), "purpose": fmt.Sprintf("%05d", purpose), "nonce": hex.EncodeToString(data[3:11]),
		"answer": hex.EncodeToString(sum[:12]),
	}
}

func answerOf(text string) []byte { return unhex(challengeOf(text)["answer"].(string)) }
