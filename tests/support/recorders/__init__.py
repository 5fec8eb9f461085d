"""The carriers outside our compose file, replaced on loopback: mail with an inbox to look into, and Twilio.

Both really speak their protocol and keep what they accepted; ``sending`` and ``looking_up`` make them
fail the way carriers do::

    with MailRecorder() as mail, TwilioRecorder() as twilio:
        twilio.sending.late(5)             # kept at once, answered after 5 s, until healed
        mail.sending.fail(451, times=2)    # two are refused, then all is well
        ...
        assert twilio.counts()["+84912345678", "Xin chao"] == 1

``stop`` takes a carrier off the network; ``start`` opens it again on the same port, with all it kept.
"""

from tests.support.recorders.mail import Attachment, Mail, MailRecorder
from tests.support.recorders.recorder import Recorder, Switch
from tests.support.recorders.twilio import Sms, TwilioRecorder

__all__ = ["Attachment", "Mail", "MailRecorder", "Recorder", "Sms", "Switch", "TwilioRecorder"]
