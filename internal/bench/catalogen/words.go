package catalogen

// What rows are made of. The odd spellings are on purpose: they hold every
// character that a reader of CSV must get right.
var (
	brands = []string{"Acme", "Nordwind", "Løvenskov", "Kärcher & Söhne", "Tanaka", "Zephyr", "O'Malley", "Brightline", "Hæstr", "Sunforge",
		"Maison Élan", `Peak "7"`, "Urban, Ltd.", "東京電機", "Żubr", "Vega", "Orinoco", "BlueFin", "Hexa", "Kestrel"}
	categories = []string{"Home & Kitchen/Cookware", "Home & Kitchen/Storage", "Electronics/Audio", "Electronics/Cables", "Tools/Hand Tools",
		"Tools/Power Tools", "Garden/Irrigation", "Toys/Board Games", "Sports/Cycling", "Sports/Climbing", "Office/Paper",
		"Office/Desks, Chairs", "Beauty/Skin Care", "Pet Supplies/Dogs", "Baby/Feeding", "Automotive/Lighting"}
	adjectives = []string{"Ultra", "Compact", "Heavy-Duty", "Ergonomic", "Foldable", "Wireless", "Stainless", "Organic", "Premium", "Classic",
		"Mini", "Waterproof", "Adjustable", "Quiet", "Smart"}
	nouns = []string{"Kettle", "Backpack", "Cable", "Drill", "Lamp", "Chair", "Organizer", "Bottle", "Headset", "Sprinkler", "Puzzle", "Helmet",
		"Notebook", "Serum", "Leash", "Monitor Arm", "Spatula", "Tripod", "Charger", "Tent"}
	words = []string{"durable", "lightweight", "design", "built", "for", "everyday", "use", "with", "reinforced", "seams", "and", "a", "soft",
		"grip", "handle", "made", "from", "recycled", "material", "easy", "to", "clean", "dishwasher", "safe", "fits", "most", "standard", "sizes",
		"includes", "two", "year", "warranty", "tested", "industry", "standards", "quick", "release", "mechanism", "non", "slip", "base", "ideal",
		"gift", "travel", "indoor", "outdoor", "precise", "control", "long", "lasting", "battery", "replaceable", "filter", "energy", "efficient",
		"quiet", "operation", "scratch", "resistant", "finish", "simple", "assembly", "no", "tools", "required"}
	foreign = []string{"größe", "élégant", "naïve", "año", "łatwy", "日本製", "качество", "smørrebrød", "çelik", "✓", "½-inch", "25 °C", "µm", "€"}

	suffixes   = []string{"BK", "WH", "RD", "XL", "S", "01"}
	colors     = []string{"black", "white", "red", "navy blue", "grün", "silver", "rosé", "sand", "charcoal", "yellow"}
	sizes      = []string{"XS", "S", "M", "L", "XL", "XXL", "30x40 cm", "1.5 l", `12"`, "one size"}
	materials  = []string{"steel", "cotton", "ABS", "oak", "leather, genuine", "glass", "nylon", "silicone", "bamboo", "aluminium"}
	origins    = []string{"DE", "CN", "US", "JP", "PL", "IT", "VN", "TR", "MX", "IN"}
	currencies = []string{"EUR", "EUR", "EUR", "USD", "USD", "GBP", "PLN", "SEK"}
	// prefixes are of GS1 members; none is restricted to use within a company.
	prefixes  = []string{"400", "401", "302", "501", "590", "731", "471", "890", "761", "860"}
	badPrices = []string{"12,9x", "abc", "--", "1.2.3"}
)
