"""Seeded draws for the scenarios: a SplitMix64 generator and the pools behind it.

Python's `random` is not used: its methods may change between versions, and the workload has to be the same bytes on all of
them. Everything here is integer arithmetic.
"""
import pools

_MASK = (1 << 64) - 1


class Draw:
    """A stream of choices. The same seed gives the same stream on every machine."""

    def __init__(self, seed):
        self._state = seed & _MASK

    def word(self):
        """The next 64 bits (SplitMix64, Steele, Lea and Flood 2014)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def between(self, low, high):
        """An integer in low..high, both included (the modulo bias is below 2^-40 for these ranges)."""
        return low + self.word() % (high - low + 1)

    def pick(self, items):
        """One item of a non-empty sequence."""
        return items[self.word() % len(items)]

    def chance(self, percent):
        """True in about `percent` of 100 draws."""
        return self.word() % 100 < percent

    def weighted(self, pairs):
        """One item of [(item, weight)…], integer weights."""
        left = self.word() % sum(weight for _, weight in pairs)
        for item, weight in pairs:
            if left < weight:
                return item
            left -= weight
        raise AssertionError("the weights cover every draw")

    def hex(self, digits):
        """That many lower-case hexadecimal digits."""
        text = ""
        while len(text) < digits:
            text += "%016x" % self.word()
        return text[:digits]

    def digits(self, count):
        """That many decimal digits, the first not 0."""
        return str(self.between(1, 9)) + "".join(str(self.word() % 10) for _ in range(count - 1))

    def uuid(self):
        """A version-4 UUID in its usual form."""
        text = self.hex(32)
        return "-".join((text[:8], text[8:12], "4" + text[13:16], "89ab"[int(text[16], 16) % 4] + text[17:20], text[20:]))

    def person(self):
        """(full name, e-mail local part) of an invented customer."""
        first, plain_first = self.pick(pools.FIRST_NAMES)
        last, plain_last = self.pick(pools.LAST_NAMES)
        return first + " " + last, plain_first + "." + plain_last

    def email(self):
        """An invented customer's address."""
        return self.person()[1] + "@" + self.pick(pools.MAIL_DOMAINS)

    def iban(self, countries=("DE", "FI", "SE", "DK", "NL", "EE")):
        """An account number of the right shape; its check digits are not computed."""
        return self.pick(countries) + str(self.between(10, 98)) + self.digits(18)

    def date(self):
        """A day of 2026 as YYYY-MM-DD."""
        return "2026-%02d-%02d" % (self.between(1, 11), self.between(1, 28))

    def sentences(self, pool, count):
        """`count` sentences of a pool, neighbours different, joined by spaces."""
        at = self.word() % len(pool)
        chosen = []
        for _ in range(count):
            chosen.append(pool[at])
            at = (at + 1 + self.word() % (len(pool) - 1)) % len(pool)
        return " ".join(chosen)

    def length(self, usual, long, percent=2):
        """A sentence count: mostly `usual` (low, high), `percent` in 100 times `long`. Real payloads have such a tail."""
        low, high = long if self.chance(percent) else usual
        return self.between(low, high)
