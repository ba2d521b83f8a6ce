package catalog

import (
	"math"
	"math/big"
	"strings"
)

// MovePercent says how far a value moved, in per cent of what it was and whatever
// the direction, given its JSON tokens before and after. ok is false unless both
// are numbers, or both money of one currency. A move away from zero is +Inf.
func MovePercent(oldToken, newToken string) (percent float64, ok bool) {
	was, currency, ok := amountOf(oldToken)
	if !ok {
		return 0, false
	}
	is, other, ok := amountOf(newToken)
	if !ok || other != currency {
		return 0, false
	}
	move := is.Sub(is, was)
	switch {
	case move.Sign() == 0:
		return 0, true
	case was.Sign() == 0:
		return math.Inf(1), true
	}
	move.Quo(move, was).Abs(move)
	percent, _ = move.Mul(move, big.NewRat(100, 1)).Float64()
	return percent, true
}

// amountOf reads a number, or money, out of a document's token; currency is ""
// for a number.
func amountOf(token string) (amount *big.Rat, currency string, ok bool) {
	digits := token
	if strings.HasPrefix(token, `"`) {
		digits, currency, _ = strings.Cut(Unquote(token), " ")
		if _, ok := CurrencyDigits(currency); !ok {
			return nil, "", false
		}
	}
	if !isPlainNumber(digits) {
		return nil, "", false
	}
	amount, ok = new(big.Rat).SetString(digits)
	return amount, currency, ok
}

// isPlainNumber reports whether s is digits as canonical numbers have them: a
// minus, a point between digits, and no exponent, whose size nothing bounds.
func isPlainNumber(s string) bool {
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return len(s) <= 2*maxWholeDigits && isDigits(whole) && (!hasFraction || isDigits(fraction))
}
