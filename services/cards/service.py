"""The counter of the cards desk: what it hears."""

from services.cards import handlers, models
from shared.framework import Database, Desk, listen
from shared.language.clock import utc_now
from shared.language.events import AccountActivated
from shared.storage.database import Database as DeskDatabase
from shared.storage.database import again_on_conflict


class Cards(Desk):
    """Issues health cards."""

    name = "cards"

    database: DeskDatabase = Database(models.metadata)

    @listen(AccountActivated)
    def on_account_activated(self, event: AccountActivated) -> None:
        again_on_conflict(lambda: self._issue_card(event))

    def _issue_card(self, event: AccountActivated) -> None:
        with self.database.begin() as session:
            handlers.issue_card(session, event, at=utc_now())
