"""What an officer may choose as a password, after NIST SP 800-63B: long, unknown to those who guess, and typeable."""

from shared.language.text import UNPRINTABLE, has_category

# Ten characters: five guesses in a quarter of an hour need no more where the password is none of the known ones,
# and a longer minimum is met by doubling a short one.
SHORTEST, LONGEST = 10, 128
LEAST_SCORE = 3  # of zxcvbn's 0 to 4: at least 10^8 guesses of somebody who knows the lists and habits
LONGEST_ESTIMATED = 72  # characters that zxcvbn looks at
SHORTEST_NAME = 4  # of a user name that no password may contain
PUBLISHED = ("mat-khau-demo", "mat-khau-vi-du", "smoke-mat-khau")  # printed by earlier versions, or in the documents
# words that are known to whoever guesses at an officer's password, and not to zxcvbn
LOCAL_WORDS = ["matkhau", "khau", "canbo", "officer", "baohiem", "xahoi", "baohiemxahoi", "bhxh", "vssid", "vietnam"]


def weakness(password: str, username: str) -> str | None:
    """Return why a password, in its normal form, is refused, or None where it may be set."""
    lowered = password.casefold()
    if not SHORTEST <= len(password) <= LONGEST:
        return f"it has {len(password)} characters; it takes {SHORTEST} to {LONGEST}"
    if has_category(UNPRINTABLE, password):
        return "it contains control or hidden characters, which cannot be typed at sign-in"
    if len(username) >= SHORTEST_NAME and username.casefold() in lowered:
        return "it contains the user name"
    if any(known in lowered for known in PUBLISHED):
        return "it was published as an example"
    from zxcvbn import zxcvbn  # here, so that a process that sets no password does not carry its lists, 14 MB

    estimate = zxcvbn(password[:LONGEST_ESTIMATED], user_inputs=[username, *LOCAL_WORDS])
    if estimate["score"] < LEAST_SCORE:
        return estimate["feedback"]["warning"] or "it is common, or easy to guess; several unrelated words are not"
    return None
