"""Who is asking: bearer tokens, the caller's address, and the signed links to pictures."""

from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Request

from shared.language.errors import NotFound, Unauthenticated
from shared.settings import Settings, SettingsError, are_link_keys, split_keys

LINK_SECONDS = 300  # long enough to look at a dossier
LONGEST_TOKEN = 200


def bearer_token(request: Request) -> str:
    """Return the token of the request.

    Raises:
        Unauthenticated: there is none, or it cannot be one of ours.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not (0 < len(token) <= LONGEST_TOKEN and token.isascii()):
        raise Unauthenticated
    return token


def address_of(request: Request, trusted_proxies: int) -> str:
    """Return the caller's address, trusting as many proxies as the operator says stand in front."""
    named = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
    if trusted_proxies and len(named) >= trusted_proxies:
        return named[-trusted_proxies]
    return request.remote_addr or "unknown"


class PictureLinks:
    """Links to pictures that work for five minutes and name nothing but a key of the store."""

    def __init__(self, settings: Settings) -> None:
        keys = split_keys(settings.link_key)
        if not keys or not are_link_keys(settings.link_key):
            raise SettingsError("LINK_KEY is not usable: it takes keys of `vssid key`, newest first")
        self._signer = URLSafeTimedSerializer(keys[::-1], salt="pictures")  # the last one signs, all of them verify
        self._public = settings.public

    def link(self, key: str) -> str:
        return f"{self._public}/api/v1/photos/{self._signer.dumps(key)}"

    def key(self, token: str) -> str:
        """Return the key a link names.

        Raises:
            NotFound: ``link_expired``: the link is not ours, or too old.
        """
        try:
            return str(self._signer.loads(token, max_age=LINK_SECONDS))
        except BadSignature:
            raise NotFound("link_expired") from None
