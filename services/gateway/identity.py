"""Who is asking: bearer tokens, the caller's address, and the signed links to pictures."""

from ipaddress import ip_address, ip_network

from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Request

from shared.language.errors import NotFound, Unauthenticated
from shared.settings import Settings, SettingsError, are_link_keys, split_keys

LINK_SECONDS = 300  # long enough to look at a dossier
LONGEST_TOKEN = 200
IPV6_PREFIX = 64  # bits of an address that name whom a provider gave it to


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


def whole_address(request: Request, trusted_proxies: int) -> str:
    """Return the caller's address, trusting as many proxies as the operator says stand in front."""
    named = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
    given = named[-trusted_proxies] if trusted_proxies and len(named) >= trusted_proxies else request.remote_addr
    try:
        address = ip_address((given or "").strip("[]").partition("%")[0])  # without the zone of a link-local one
    except ValueError:
        return request.remote_addr or "unknown"
    return str(getattr(address, "ipv4_mapped", None) or address)


def address_of(request: Request, trusted_proxies: int) -> str:
    """Return what limits are counted by: the caller's address, of IPv6 the network of 64 bits.

    Every caller by IPv6 has at least that many addresses.
    """
    address = whole_address(request, trusted_proxies)
    return str(ip_network((address, IPV6_PREFIX), strict=False)) if ":" in address else address


class PictureLinks:
    """Links to pictures that work for five minutes. What they name, and for whose session, approval knows."""

    def __init__(self, settings: Settings) -> None:
        keys = split_keys(settings.link_key)
        if not keys or not are_link_keys(settings.link_key):
            raise SettingsError("LINK_KEY is not usable: it takes keys of `vssid key`, newest first")
        self._signer = URLSafeTimedSerializer(keys[::-1], salt="photos")  # the last one signs, all of them verify
        self._public = settings.public

    def link(self, reference: str) -> str:
        return f"{self._public}/api/v1/photos/{self._signer.dumps(reference)}"

    def reference(self, token: str) -> str:
        """Return what a link names.

        Raises:
            NotFound: ``link_expired``: the link is not ours, or too old.
        """
        try:
            return str(self._signer.loads(token, max_age=LINK_SECONDS))
        except BadSignature:
            raise NotFound("link_expired") from None
