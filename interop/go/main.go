// Command interop is veraison/go-cose, given our tokens and asked for its own.
//
// It reads one JSON document from standard input and writes one to standard
// output; see ../README.md. It knows nothing of the Python package.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // what ES256 hashes with
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"
)

type request struct {
	Key  struct{ X, Y, D, Kid string }
	Read map[string]string
	Open map[string]struct{ Data, X, Y, Kid string }
	Make map[string]struct {
		Exp, Iat, Profile, City uint32
		Cti                     string
		IdentityRef             string `json:"identity_ref"`
	}
}

type answer struct {
	Read   map[string]any    `json:"read"`
	Opened map[string]string `json:"opened"`
	Made   map[string]string `json:"made"`
}

// claims are a token's payload as the CBOR library reads and writes it.
type claims struct {
	Exp     uint32            `cbor:"4,keyasint"`
	Iat     uint32            `cbor:"6,keyasint"`
	Cti     []byte            `cbor:"7,keyasint"`
	Voucher []cbor.RawMessage `cbor:"-65537,keyasint"`
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	key, kid := readKey(asked)
	result := answer{Read: map[string]any{}, Opened: map[string]string{}, Made: map[string]string{}}
	for name, token := range asked.Read {
		found, err := read(&key.PublicKey, kid, unhex(token))
		if err != nil {
			result.Read[name] = map[string]string{"refused": err.Error()}
		} else {
			result.Read[name] = found
		}
	}
	for name, stated := range asked.Open {
		payload, err := open(publicKey(stated.X, stated.Y), unhex(stated.Kid), unhex(stated.Data))
		if err != nil {
			log.Fatal(err)
		}
		result.Opened[name] = hex.EncodeToString(payload)
	}
	for name, stated := range asked.Make {
		payload := claims{Exp: stated.Exp, Iat: stated.Iat, Cti: unhex(stated.Cti)}
		for _, item := range []any{stated.Profile, unhex(stated.IdentityRef), stated.City} {
			payload.Voucher = append(payload.Voucher, encode(item))
		}
		token, err := makeToken(key, kid, encode(payload))
		if err != nil {
			log.Fatal(err)
		}
		result.Made[name] = hex.EncodeToString(token)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]answer{"go-cose": result}); err != nil {
		log.Fatal(err)
	}
}

// read verifies a token and returns what stands in it.
func read(key *ecdsa.PublicKey, kid, token []byte) (map[string]any, error) {
	payload, err := open(key, kid, token)
	if err != nil {
		return nil, err
	}
	var found claims
	if err := cbor.Unmarshal(payload, &found); err != nil {
		return nil, err
	}
	voucher, err := readVoucher(found.Voucher)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"exp": found.Exp, "iat": found.Iat, "cti": hex.EncodeToString(found.Cti), "voucher": voucher,
	}, nil
}

// open verifies any COSE_Sign1, which has a kid if the key has one, and returns its payload.
func open(key *ecdsa.PublicKey, kid, data []byte) ([]byte, error) {
	var message cose.Sign1Message
	if err := message.UnmarshalCBOR(data); err != nil {
		return nil, err
	}
	if found, _ := message.Headers.Protected[cose.HeaderLabelKeyID].([]byte); string(found) != string(kid) {
		return nil, errors.New("another kid")
	}
	verifier, err := cose.NewVerifier(cose.AlgorithmES256, key)
	if err != nil {
		return nil, err
	}
	return message.Payload, message.Verify(nil, verifier)
}

func readVoucher(items []cbor.RawMessage) ([]any, error) {
	if len(items) < 3 || len(items) > 4 {
		return nil, fmt.Errorf("a voucher of %d items", len(items))
	}
	var profile, city uint32
	var identityRef []byte
	extras := map[string]any{}
	err := errors.Join(
		cbor.Unmarshal(items[0], &profile),
		cbor.Unmarshal(items[1], &identityRef),
		cbor.Unmarshal(items[2], &city),
	)
	if len(items) == 4 {
		var stated map[int]any
		err = errors.Join(err, cbor.Unmarshal(items[3], &stated))
		for label, value := range stated {
			if data, ok := value.([]byte); ok {
				value = hex.EncodeToString(data)
			}
			extras[fmt.Sprint(label)] = value
		}
	}
	return []any{profile, hex.EncodeToString(identityRef), city, extras}, err
}

// makeToken signs a payload as a token of our profile: {1: alg, 4: kid} protected, nothing unprotected.
func makeToken(key *ecdsa.PrivateKey, kid, payload []byte) ([]byte, error) {
	signer, err := cose.NewSigner(cose.AlgorithmES256, key)
	if err != nil {
		return nil, err
	}
	headers := cose.Headers{Protected: cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm: cose.AlgorithmES256,
		cose.HeaderLabelKeyID:     kid,
	}}
	return cose.Sign1(rand.Reader, signer, headers, payload, nil)
}

func encode(value any) []byte {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		log.Fatal(err)
	}
	data, err := mode.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func readKey(asked request) (*ecdsa.PrivateKey, []byte) {
	public := publicKey(asked.Key.X, asked.Key.Y)
	return &ecdsa.PrivateKey{PublicKey: *public, D: number(asked.Key.D)}, unhex(asked.Key.Kid)
}

func publicKey(x, y string) *ecdsa.PublicKey {
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: number(x), Y: number(y)}
}

func number(text string) *big.Int {
	return new(big.Int).SetBytes(unhex(text))
}

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	if err != nil {
		log.Fatal(err)
	}
	return data
}
