package catalog

// FormatMoney joins an amount and a currency.
func FormatMoney(amount, currency string) (string, *Problem) { return amount + " " + currency, nil }
