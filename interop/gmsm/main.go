// Signs and verifies SM2 with emmansun/gmsm, so that tests can hold it against ybtoken.
//
// Each line of standard input is one request, in hex and separated by spaces; each is answered with one line:
//
//	verify x y uid message r||s   ->   true | false
//	sign d uid message            ->   r||s
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log"
	"math/big"
	"os"
	"strings"

	"github.com/emmansun/gmsm/sm2"
)

func octets(field string) []byte {
	value, err := hex.DecodeString(field)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func number(field string) *big.Int { return new(big.Int).SetBytes(octets(field)) }

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
		default:
			log.Fatalf("unknown request %q", fields[0])
		}
	}
}
