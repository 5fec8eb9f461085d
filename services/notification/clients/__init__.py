"""The carriers of messages, chosen by the scheme of SMS_URL and MAIL_URL."""

from urllib.parse import urlsplit

from services.notification.clients.carrier import Carrier
from services.notification.clients.carriers import Carriers
from services.notification.clients.file import FileCarrier
from services.notification.clients.smtp import SmtpCarrier
from services.notification.clients.twilio import TwilioCarrier
from shared.settings import Settings, SettingsError

# Where there are several, no carrier is waited for longer: a stall delays people by ten seconds at most.
FAILOVER_SECONDS = 5.0


def sms_carriers(settings: Settings) -> Carriers:
    """Return the carriers of SMS, in the order of SMS_URL.

    Raises:
        SettingsError: SMS_URL cannot be used.
    """
    urls = settings.sms_url.split() or [settings.carrier("")]
    timeout = settings.carrier_timeout if len(urls) == 1 else min(settings.carrier_timeout, FAILOVER_SECONDS)
    return Carriers([_sms_carrier(url, settings, timeout) for url in urls], timeout=timeout)


def mail_carriers(settings: Settings) -> Carriers:
    """Return the carriers of mail: there is one.

    Raises:
        SettingsError: MAIL_URL cannot be used.
    """
    return Carriers([_mail_carrier(settings.carrier(settings.mail_url), settings)], timeout=settings.carrier_timeout)


def _sms_carrier(url: str, settings: Settings, timeout: float) -> tuple[str, Carrier]:
    parts = urlsplit(url)
    match parts.scheme:
        case "twilio":
            public = settings.public if settings.public_url else ""
            # the end of the account SID tells accounts apart, and is no secret
            return f"twilio-{(parts.username or '')[-6:]}", TwilioCarrier(url, timeout=timeout, public_url=public)
        case "smtp" | "smtps":
            return "smtp", SmtpCarrier(url, settings.mail_from, timeout=timeout, sms=True)
        case "file":
            return "file", FileCarrier(url, settings.mail_from, sms=True)
    raise SettingsError("SMS_URL: each of its URLs begins with twilio://, smtp://, smtps:// or file:")


def _mail_carrier(url: str, settings: Settings) -> tuple[str, Carrier]:
    match urlsplit(url).scheme:
        case "smtp" | "smtps":
            return "smtp", SmtpCarrier(url, settings.mail_from, timeout=settings.carrier_timeout, sms=False)
        case "file":
            return "file", FileCarrier(url, settings.mail_from, sms=False)
    raise SettingsError("MAIL_URL begins with none of smtp://, smtps://, file:")
