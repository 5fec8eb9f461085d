"""The five services of the house, and the operators' command above them."""

SERVICES = ("registration", "approval", "notification", "cards", "gateway")
