"""Invented names, texts and identifiers that the scenarios draw from. No real person or company is meant."""

FIRST_NAMES = (
    ("Aino", "aino"), ("Bruno", "bruno"), ("Chiara", "chiara"), ("Dmitar", "dmitar"), ("Esra", "esra"), ("Femi", "femi"),
    ("Greta", "greta"), ("Hana", "hana"), ("Ines", "ines"), ("Jonas", "jonas"), ("Kofi", "kofi"), ("Łucja", "lucja"),
    ("Maren", "maren"), ("Noor", "noor"), ("Óscar", "oscar"), ("Priya", "priya"), ("Quentin", "quentin"), ("Rosa", "rosa"),
    ("Søren", "soren"), ("Tomas", "tomas"), ("Ulla", "ulla"), ("Viktor", "viktor"), ("Wen", "wen"), ("Zoë", "zoe"),
)
LAST_NAMES = (
    ("Adeyemi", "adeyemi"), ("Bergström", "bergstrom"), ("Castellanos", "castellanos"), ("Dvořák", "dvorak"), ("Eklund", "eklund"),
    ("Fontaine", "fontaine"), ("Grünwald", "grunwald"), ("Haddad", "haddad"), ("Ivanova", "ivanova"), ("Jørgensen", "jorgensen"),
    ("Kowalczyk", "kowalczyk"), ("Lindqvist", "lindqvist"), ("Moreau", "moreau"), ("Nakamura", "nakamura"), ("Okafor", "okafor"),
    ("Petrov", "petrov"), ("Rahman", "rahman"), ("Saarinen", "saarinen"), ("Tanaka", "tanaka"), ("Vermeulen", "vermeulen"),
)
MAIL_DOMAINS = ("hollowoak.example", "brightmail.example", "nordpost.example", "kestrel-foods.example", "tidewater.example",
                "lumen-optik.example", "quarry-and-sons.example", "fjordline.example")
COMPANIES = ("Hollow Oak Furniture", "Kestrel Foods", "Tidewater Logistics", "Lumen Optik", "Quarry & Sons", "Fjordline Ferries",
             "Brightwater Clinics", "Pinecrest Schools", "Ostrava Castings", "Marigold Textiles", "Vantage Cycles", "Saltmarsh Brewing")
PRODUCTS = ("Trailhead 30 backpack", "Cinder camp stove", "Lowtide rain jacket", "Summit 2 tent", "Otter dry bag", "Ember head torch",
            "Ridgeline boots", "Basalt trekking poles", "Drift sleeping bag", "Harbour duffel")
CARRIERS = ("shipfast", "nordfreight", "parcelline")
SERVICES = ("checkout", "catalogue", "search-api", "session-store", "billing-worker", "image-resizer", "notifier", "gateway")
REPOSITORIES = ("cumulus/checkout", "cumulus/search-api", "cumulus/platform", "cumulus/notifier", "cumulus/infra-modules")
METRICS = ("http_request_duration_seconds", "queue_depth", "container_memory_working_set_bytes", "db_connections_active")
RESEARCH_TOPICS = ("heat pump adoption in Nordic housing", "battery recycling yields", "warehouse picking robots",
                   "retrieval quality on long documents", "cold-chain monitoring costs", "crop disease detection from drones")

SUPPORT = (
    "Thank you for writing to us about your order.",
    "I am sorry that the parcel reached you later than we promised.",
    "The carrier scanned it at the depot on Tuesday and it has not moved since.",
    "You can keep the damaged item; there is no need to send it back.",
    "A replacement leaves our warehouse within two working days.",
    "The zip was replaced under warranty last spring and has failed again.",
    "I have checked the address with you and corrected the house number.",
    "Please let me know if the tracking page does not update by tomorrow evening.",
    "The customer prefers to be contacted in the morning.",
    "The seam opened after the second wash although the label allows it.",
    "Our records show that the payment went through once, not twice.",
    "The gift card was used for the first order and has no balance left.",
    "We will e-mail the return label in a moment.",
    "The size chart in the shop was wrong for this model and is corrected now.",
)
SALES = (
    "Following up on our call about the autumn catalogue.",
    "The attached proposal covers forty stores and a pilot of eight weeks.",
    "Your team asked for a price that includes delivery and returns.",
    "They compare us with two other suppliers and decide before the quarter ends.",
    "The buyer wants references from customers of a similar size.",
    "Margins are thin in this segment, so volume matters more than discount.",
    "I suggest a short meeting with your operations lead next week.",
    "Legal asked for a shorter notice period and a cap on liability.",
    "Last year's order grew by a third after the second delivery.",
    "The renewal is due in January and the contact has changed.",
    "They liked the demonstration, above all the stock forecast.",
)
BANKING = (
    "The counterparty confirmed the amount and the value date.",
    "Two bookings of the same amount were found on consecutive days.",
    "The difference comes from a fee that the correspondent bank deducted.",
    "The customer's declared income does not explain the incoming transfers.",
    "Device and location changed within eleven minutes of each other.",
    "The invoice number in the reference matches the open item.",
    "The batch was rejected once because of a closed beneficiary account.",
    "The name matches a listed person only in part; the birth year differs.",
    "Proof of address is older than three months and has to be renewed.",
    "The amount was returned by the beneficiary bank without a reason code.",
    "The payer used a new card and three attempts failed before this one.",
)
OPERATIONS = (
    "p99 latency doubled at 14:05 and has stayed there.",
    "connection pool exhausted: 64 of 64 in use, 210 waiting",
    "readiness probe failed: context deadline exceeded",
    "The rollout paused at twenty-five percent because the error rate crossed two percent.",
    "upstream reset before headers, retry 2 of 3",
    "Disk usage of the write-ahead log grows by two gigabytes an hour.",
    "The certificate of the internal gateway expires in nine days.",
    "Replica lag is below one second again after the index was rebuilt.",
    "Memory climbs steadily after each deploy and falls only on restart.",
    "The flag was switched off for all regions at 15:20.",
    "panic in handler recovered: index out of range in cart totals",
)
RESEARCH = (
    "The survey covers 1,204 households in four regions over two winters.",
    "Results vary with the age of the building more than with its size.",
    "The authors report a confidence interval but not how outliers were treated.",
    "A second study could not repeat the effect with a larger sample.",
    "Costs fall by a fifth when collection is organised by municipality.",
    "The data set is public and its licence allows redistribution with attribution.",
    "Field trials ended early because of flooding.",
    "The baseline is weak: it uses keyword search without stemming.",
    "Maintenance, not energy, dominates the running cost after year six.",
    "Two of the five sites switched suppliers during the trial.",
)
