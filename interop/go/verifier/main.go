// Command verifier is a verifier of ybtoken's format 1, written from docs/spec/token-format.md alone, as a program of
// the conformance kit: it reads a case a line and writes an outcome a line. See vectors/README.md.
//
// It is there to show that the specification needs no Python. It has no care for speed.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
)

type policy struct {
	Policy         string          `json:"policy"`
	Prefixes       []string        `json:"prefixes"`
	Exclusions     []string        `json:"exclusions"`
	Accept         []any           `json:"accept"`
	AcceptUnstated bool            `json:"accept_unstated"`
	Level          int64           `json:"level"`
	Seconds        int64           `json:"seconds"`
	Policies       []policy        `json:"policies"`
	JWKS           json.RawMessage `json:"jwks"`
	URI            string          `json:"uri"`
	Grace          int64           `json:"grace"`
	AcceptUnlisted bool            `json:"accept_unlisted"`
	Lists          []struct {
		List string `json:"list"`
		At   int64  `json:"at"`
	} `json:"lists"`
}

type question struct {
	ID              string            `json:"id"`
	Family          string            `json:"family"`
	Text            *string           `json:"text"`
	Scanned         *string           `json:"scanned"`
	List            *string           `json:"list"`
	KeySet          *string           `json:"keyset"`
	Document        *string           `json:"document"`
	JWKS            json.RawMessage   `json:"jwks"`
	Indexes         []string          `json:"indexes"`
	URI             string            `json:"uri"`
	MaxEntries      int64             `json:"max_entries"`
	Now             int64             `json:"now"`
	Skew            int64             `json:"skew"`
	MaxLifetime     int64             `json:"max_lifetime"`
	MaxPassLifetime int64             `json:"max_pass_lifetime"`
	MaxDisplayAge   int64             `json:"max_display_age"`
	Masters         map[string]string `json:"masters"`
	Challenge       string            `json:"challenge"`
	Policies        []policy          `json:"policies"`
	Redeems         []struct {
		Text      string `json:"text"`
		Now       int64  `json:"now"`
		ClaimedAt *int64 `json:"claimed_at"`
	} `json:"redeems"`
}

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func (q question) ring() (ring, error) {
	if q.KeySet != nil {
		return fromCOSE(unhex(*q.KeySet))
	}
	if q.Document != nil {
		return fromJWKS(unhex(*q.Document))
	}
	return fromJWKS(q.JWKS)
}

func (q question) outcome() any {
	if q.Scanned != nil {
		return map[string]any{"text": normalize(*q.Scanned)}
	}
	if q.Family == "challenge" {
		if found := challengeOf(*q.Text); found != nil {
			return found
		}
		return nil
	}
	keys, err := q.ring()
	if q.Text == nil && q.List == nil && q.Redeems == nil {
		if err != nil {
			return map[string]any{"ring": "refused"}
		}
		return q.kidsOrEntries(keys)
	}
	if err != nil {
		panic(err)
	}
	if q.List != nil {
		return q.statuses(keys)
	}
	v := verifier{question: q, keys: keys, wrong: map[guessed]int{}, claimed: map[string]bool{}}
	if q.Redeems == nil {
		return v.verify(*q.Text, q.Now, q.Challenge, nil)
	}
	var outcomes []any
	for _, each := range q.Redeems {
		claimedAt := each.Now
		if each.ClaimedAt != nil {
			claimedAt = *each.ClaimedAt
		}
		outcomes = append(outcomes, v.verify(each.Text, each.Now, q.Challenge, &claimedAt))
	}
	return outcomes
}

func (q question) kidsOrEntries(keys ring) any {
	kids, entries := []string{}, []any{}
	for _, e := range keys.entries {
		kids = append(kids, hex.EncodeToString(e.kid))
		stated := map[string]any{
			"kid": hex.EncodeToString(e.kid), "algorithm": e.algorithm, "issuer": e.issuer, "scope": e.scope.prefixes,
			"except": e.scope.exclusions, "not_before": e.notBefore, "not_after": e.notAfter, "use": e.use,
		}
		if e.withdrawn != nil {
			stated["withdrawn_since"] = *e.withdrawn
		}
		if e.statusURI != nil {
			stated["status_uri"] = *e.statusURI
		}
		if e.curve == curveSM2 {
			stated["user_id"] = hex.EncodeToString(e.userID)
		}
		entries = append(entries, stated)
	}
	if q.KeySet != nil {
		return map[string]any{"entries": entries}
	}
	return map[string]any{"kids": kids}
}

func (q question) statuses(keys ring) any {
	list := readList(unhex(*q.List), keys, q.URI, q.Now, q.Skew, q.MaxEntries)
	if list == nil {
		return nil
	}
	found := map[string]any{}
	for _, index := range q.Indexes {
		var place int64
		fmt.Sscan(index, &place)
		found[index] = nil
		if status, known := list.at(place); known {
			found[index] = status
		}
	}
	return found
}

func answer(line []byte) (reply map[string]any) {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return map[string]any{"id": q.ID, "error": err.Error()}
	}
	defer func() {
		if found := recover(); found != nil {
			reply = map[string]any{"id": q.ID, "error": fmt.Sprint(found)}
		}
	}()
	return map[string]any{"id": q.ID, "outcome": q.outcome()}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	capabilities := []string{
		"ES256", "SM2", "profile-2", "profile-3", "policy", "status", "ring", "keyset", "redeem", "challenge", "scan",
		"late",
	}
	out.Encode(map[string]any{"name": "Go, from the specification", "capabilities": capabilities})
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			out.Encode(answer(line))
		}
		if err != nil {
			return
		}
	}
}
