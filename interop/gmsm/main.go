// Signs and verifies SM2 with emmansun/gmsm, so that tests can hold it against ybtoken.
//
// Each line of standard input is one request, in hex and separated by spaces; each is answered with one line:
//
//	verify x y uid message r||s   ->   true | false
//	sign d uid message            ->   r||s
//	keys                          ->   a line "SM2 kind name base64" for each spelling of a new key, and an empty line
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log"
	"math/big"
	"os"
	"strings"

	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

func octets(field string) []byte {
	value, err := hex.DecodeString(field)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func number(field string) *big.Int { return new(big.Int).SetBytes(octets(field)) }

func say(kind, name string, written []byte, err error) {
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("SM2", kind, name, base64.StdEncoding.EncodeToString(written))
}

func keys() {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	sec1, err := smx509.MarshalSM2PrivateKey(key)
	say("private", "SEC_1", sec1, err)
	plain, err := smx509.MarshalPKCS8PrivateKey(key)
	say("private", "PKCS#8", plain, err)
	say("private", "D.Text(16)", []byte(fmt.Sprintf("%064x", key.D)), nil)
	sealed, err := pkcs8.MarshalPrivateKey(key, []byte("demo1234"), nil)
	say("sealed", "PKCS#8_by_default", sealed, err)
	spki, err := smx509.MarshalPKIXPublicKey(&key.PublicKey)
	say("public", "PKIX", spki, err)
	say("public", "elliptic.Marshal", elliptic.Marshal(key.Curve, key.X, key.Y), nil)
	say("compressed", "elliptic.MarshalCompressed", elliptic.MarshalCompressed(key.Curve, key.X, key.Y), nil)
	fmt.Println()
}

func main() {
	requests := bufio.NewScanner(os.Stdin)
	requests.Buffer(nil, 1<<20)
	for requests.Scan() {
		fields := strings.Split(requests.Text(), " ")
		switch fields[0] {
		case "verify":
			key := &ecdsa.PublicKey{Curve: sm2.P256(), X: number(fields[1]), Y: number(fields[2])}
			r, s := number(fields[5][:64]), number(fields[5][64:])
			fmt.Println(sm2.VerifyWithSM2(key, octets(fields[3]), octets(fields[4]), r, s))
		case "sign":
			key := &ecdsa.PrivateKey{D: number(fields[1])}
			key.Curve = sm2.P256()
			key.X, key.Y = key.Curve.ScalarBaseMult(octets(fields[1]))
			r, s, err := sm2.SignWithSM2(rand.Reader, key, octets(fields[2]), octets(fields[3]))
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%064x%064x\n", r, s)
		case "keys":
			keys()
		default:
			log.Fatalf("unknown request %q", fields[0])
		}
	}
}
