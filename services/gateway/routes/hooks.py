"""For carriers: what became of a message they took."""

from typing import Any

from werkzeug.wrappers import Request, Response

from services.gateway.bodies import form_of
from shared.framework.http import Answer, route
from shared.framework.providers import SettingProvider
from shared.framework.rpc import RpcProxyProvider

LONGEST_SIGNATURE = 100


class HookRoutes:
    notification: Any = RpcProxyProvider("notification")
    public_url: str = SettingProvider("public")

    @route(
        "POST",
        "/hooks/twilio/<string:message_id>",
        limit="hooks",
        takes="notification.TwilioForm",
        status=204,
        refuses=("wrong_signature",),
    )
    def note_delivery(self, request: Request, message_id: str) -> Response:
        """Take a status call-back of Twilio's; who has the token checks its signature."""
        # signed is the address Twilio was given, whatever the proxies in front made of it
        query = request.query_string.decode("ascii", "replace")
        self.notification.note_delivery(
            message_id=message_id,
            url=self.public_url + request.path + (f"?{query}" if query else ""),
            form=form_of(request),
            signature=request.headers.get("X-Twilio-Signature", "")[:LONGEST_SIGNATURE],
        )
        return Answer(status=204)
