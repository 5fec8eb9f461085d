"""What operators measure, in every process. prometheus-client keeps and prints it."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("vssid_events_total", "Events heard, by queue and outcome", ["queue", "outcome"])
WORK = Histogram(
    "vssid_work_seconds",
    "Time of calls, events and timers, by entrypoint and outcome",
    ["entrypoint", "outcome"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
REQUESTS = Histogram(
    "vssid_http_request_seconds",
    "Time of HTTP requests, by route and status",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
TURNED_AWAY = Counter("vssid_http_turned_away_total", "Requests refused before they were worked on", ["why"])
RATE_LIMIT_STORE_AWAY = Gauge("vssid_rate_limit_store_away", "1 while this gateway counts requests by itself")
OUTBOX = Gauge("vssid_outbox_events", "Events waiting in an outbox", ["service"])
DEAD = Gauge("vssid_dead_events", "Events in the dead queue of a listener", ["queue"])
DEAD_AGE = Gauge("vssid_dead_events_oldest_seconds", "Time since the first of them failed", ["queue"])
RELAYED = Counter("vssid_relayed_total", "Events carried from an outbox to the broker", ["service"])
MESSAGES = Counter("vssid_messages_total", "Messages to people, by channel and outcome", ["channel", "outcome"])
DELIVERIES = Counter("vssid_deliveries_total", "What carriers told later of messages they took", ["delivery"])
CARRIER_OUT = Gauge("vssid_carrier_passed_over", "1 while messages go past this carrier of several", ["carrier"])
FAILOVERS = Counter("vssid_carrier_failovers_total", "Messages taken by a carrier that is not the first", ["carrier"])
MESSAGE_BUDGET_USED = Gauge("vssid_message_budget_used_ratio", "Messages of Vietnam's day, of MESSAGE_BUDGET")
