package rest

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPlainNumber(t *testing.T) {
	for number, want := range map[string]string{
		"0": "0", "-0": "-0", "12.50": "12.50", "12345678901234567890": "12345678901234567890",
		"1e2": "100", "1E+2": "100", "5e0": "5", "-1.5e-3": "-0.0015", "1.250e1": "12.50", "0.1e2": "10", "0e5": "0", "0.00e-3": "0.00000",
		"12e-1": "1.2", "12e-2": "0.12", "1e40": "1" + strings.Repeat("0", 40), "1e-40": "0." + strings.Repeat("0", 39) + "1",
		"1e41": "", "1e-41": "", "1e400": "", "1e99999999999999999999": "", "0e41": "",
	} {
		if got, ok := plainNumber(number); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %v, want %q", number, got, ok, want)
		}
	}
}

// TestPlainNumbersAreTheSame: written out, a number is what it was.
func TestPlainNumbersAreTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		number := fmt.Sprintf("%s%d", []string{"", "-"}[r.IntN(2)], r.IntN(20000))
		if r.IntN(2) == 0 {
			number += fmt.Sprintf(".%0*d", 1+r.IntN(5), r.IntN(10))
		}
		number += fmt.Sprintf("e%d", r.IntN(2*maxExponent+1)-maxExponent)
		plain, ok := plainNumber(number)
		was, _ := new(big.Rat).SetString(number)
		is, read := new(big.Rat).SetString(plain)
		if !ok || !read || was.Cmp(is) != 0 || strings.ContainsAny(plain, "eE") {
			t.Fatalf("%s is written out as %s", number, plain)
		}
	}
}
