"""The entrypoints of cards: what it hears."""

from services.cards import handlers, models
from shared.framework.consumers import listen
from shared.framework.providers import DatabaseProvider
from shared.framework.service import Service
from shared.language.clock import utc_now
from shared.language.events import AccountActivated, CardRequested
from shared.storage.database import Database


class Cards(Service):
    """Issues health cards."""

    name = "cards"

    database: Database = DatabaseProvider(models.metadata)

    @listen(CardRequested)
    def on_card_requested(self, event: CardRequested) -> None:
        self.database.run(handlers.issue_card, event, at=utc_now())

    @listen(AccountActivated, is_retired=True)
    def on_account_activated(self, event: AccountActivated) -> None:
        self.database.run(handlers.issue_card, event, at=utc_now())
