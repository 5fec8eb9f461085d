"""The five services: the one list of them."""

SERVICES = ("registration", "approval", "notification", "cards", "gateway")
