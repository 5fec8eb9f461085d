"""The carriers of messages, chosen by the scheme of SMS_URL and MAIL_URL."""

from urllib.parse import urlsplit

from services.notification.clients.carrier import Carrier
from services.notification.clients.file import FileCarrier
from services.notification.clients.smtp import SmtpCarrier
from services.notification.clients.twilio import TwilioCarrier
from shared.settings import Settings, SettingsError


def sms_carrier(settings: Settings) -> Carrier:
    """Return the carrier of SMS.

    Raises:
        SettingsError: SMS_URL cannot be used.
    """
    url = settings.carrier(settings.sms_url)
    match urlsplit(url).scheme:
        case "twilio":
            return TwilioCarrier(url, timeout=settings.carrier_timeout)
        case "smtp" | "smtps":
            return SmtpCarrier(url, settings.mail_from, timeout=settings.carrier_timeout, sms=True)
        case "file":
            return FileCarrier(url, settings.mail_from, sms=True)
    raise SettingsError("SMS_URL begins with none of twilio://, smtp://, smtps://, file:")


def mail_carrier(settings: Settings) -> Carrier:
    """Return the carrier of mail.

    Raises:
        SettingsError: MAIL_URL cannot be used.
    """
    url = settings.carrier(settings.mail_url)
    match urlsplit(url).scheme:
        case "smtp" | "smtps":
            return SmtpCarrier(url, settings.mail_from, timeout=settings.carrier_timeout, sms=False)
        case "file":
            return FileCarrier(url, settings.mail_from, sms=False)
    raise SettingsError("MAIL_URL begins with none of smtp://, smtps://, file:")
