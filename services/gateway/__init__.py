"""The gateway: HTTP to the services and back. It owns nothing and decides nothing.

owns      nothing
answers   HTTP: the routes of the API, its description, health, readiness, metrics
hears     nothing
tells     nothing
"""
