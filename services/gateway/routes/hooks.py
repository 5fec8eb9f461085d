"""For carriers of messages: whether a message arrived."""

from typing import Any

from werkzeug.wrappers import Request, Response

from services.gateway.bodies import form_of
from services.gateway.routes.parameters import MESSAGE_ID
from shared.framework.http import Caller, JsonResponse, route
from shared.framework.providers import SettingProvider
from shared.framework.rpc import RpcProxyProvider
from shared.language.errors import Forbidden

LONGEST_SIGNATURE = 100


class HookRoutes:
    notification: Any = RpcProxyProvider("notification")
    public_url: str = SettingProvider("public")

    @route(
        "POST",
        "/hooks/twilio/<string:message_id>",
        limit="hooks",
        caller=Caller.CARRIER,
        form="notification.TwilioForm",
        status=204,
        parameters=(MESSAGE_ID,),
        refuses=Forbidden.codes("wrong_signature"),
    )
    def note_delivery(self, request: Request, message_id: str) -> Response:
        """Take a status call-back of Twilio; notification, which has the token, checks its signature."""
        # the signature covers the address that Twilio was given, not what proxies made of it
        query = request.query_string.decode("ascii", "replace")
        self.notification.note_delivery(
            message_id=message_id,
            url=self.public_url + request.path + (f"?{query}" if query else ""),
            form=form_of(request),
            signature=request.headers.get("X-Twilio-Signature", "")[:LONGEST_SIGNATURE],
        )
        return JsonResponse(status=204)
